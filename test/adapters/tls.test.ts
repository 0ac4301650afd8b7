/**
 * Tests of TLS: a start is refused at once if a server offers none, or an untrusted certificate.
 */
import { afterAll, describe, expect, test } from 'bun:test'
import { chmodSync, chownSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { KvEvent } from '../../adapters/kv/opened.ts'
import { openDatabase, openKv } from '../../adapters/open.ts'
import { refusal } from '../conformance/database/database.ts'
import { defaults } from '../support/database-options.ts'
import { startPostgres, testDatabaseUrl } from '../support/servers/postgres.ts'
import { freePort, run, until } from '../support/servers/processes.ts'
import { redisMissing, startRedis } from '../support/servers/redis.ts'
import { migrated } from '../support/started.ts'

const home = mkdtempSync(join(tmpdir(), 'turnlog-test-'))

/** Makes a key and an untrusted certificate, which the user of the test servers can read. */
async function certificate(name: string) {
  const [key, cert] = [join(home, `${name}.key`), join(home, `${name}.pem`)]
  const made = ['-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert, '-days', '2']
  await run('openssl', ['req', '-x509', ...made, '-subj', '/CN=localhost'])
  if (process.getuid?.() === 0) chownSync(key, 65534, 65534)
  return { key, cert }
}

// The servers of the tests may run as another user.
chmodSync(home, 0o755)

afterAll(() => rmSync(home, { recursive: true, force: true }))

describe.skipIf(Bun.which('openssl') === null)('TLS', () => {
  test('a URL with TLS is refused at once if Postgres offers none', async () => {
    const url = await testDatabaseUrl()
    const { host, pathname } = new URL(url)
    for (const mode of ['require', 'verify-full']) {
      const started = performance.now()
      expect(await refusal(migrated(`${url}?sslmode=${mode}`))).toBe(
        `Postgres at ${host}${pathname} cannot be used: it offers no TLS, and the URL asks for it (sslmode=${mode}): turn ssl on at the server, or leave sslmode out.`,
      )
      expect(performance.now() - started).toBeLessThan(9000)
    }
    await migrated(`${url}?sslmode=prefer`)
  }, 60_000)

  test('TLS that Postgres offers is used, and its certificate is checked if the URL asks for that', async () => {
    const { key, cert } = await certificate('postgres')
    const settings = { ssl: 'on', ssl_key_file: key, ssl_cert_file: cert }
    await using server = await startPostgres({ settings })
    await migrated(`${server.url}?sslmode=require`)
    const untrusted = openDatabase({
      ...{ ...defaults, startWaitSeconds: 0 },
      url: `${server.url}?sslmode=verify-full`,
    }).then(async (database) => {
      await using opened = database
      await opened.migrate()
    })
    expect(await refusal(untrusted)).toContain('its certificate is not trusted here (')
  }, 60_000)

  test.skipIf(redisMissing() !== undefined)(
    'a disagreement of a Redis URL and its server about TLS is logged',
    async () => {
      const { key, cert } = await certificate('redis')
      if (process.getuid?.() === 0) chownSync(key, 0, 0)
      const port = await freePort()
      const tls = {
        'tls-port': String(port),
        'tls-key-file': key,
        'tls-cert-file': cert,
        'tls-ca-cert-file': cert,
        'tls-auth-clients': 'no',
      }
      await using redis = await startRedis({ settings: tls })
      for (const [url, expected] of [
        [
          redis.url.replace('redis:', 'rediss:'),
          `Redis at 127.0.0.1:${redis.port} cannot be used: it offers no TLS, and the URL asks for it: write redis:`,
        ],
        [
          `redis://127.0.0.1:${port}`,
          `Redis at 127.0.0.1:${port} cannot be used: it requires TLS, and the URL asks for none: write rediss:`,
        ],
      ] as const) {
        const events: KvEvent[] = []
        const { kv } = await openKv(url, { onEvent: (event) => events.push(event) })
        const mistaken = () => events.filter(({ type }) => type === 'mistaken')
        await until('it is reported', () => mistaken().length > 0)
        expect(mistaken().map(({ message }) => message)).toEqual([expected])
        kv.close()
      }
      // A server at this port speaks TLS from its first byte, which Postgres never does.
      expect(await refusal(migrated(`postgres://u:secret@127.0.0.1:${port}/x`))).toBe(
        `Postgres at 127.0.0.1:${port}/x cannot be used: it requires TLS, and the URL asks for none: write ?sslmode=require, and name the port of Postgres itself.`,
      )
    },
    60_000,
  )
})
