/** TLS: a refusal at once where a server offers none, or another certificate. */
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

/** A key and a certificate that nobody trusts, readable to who runs the test servers. */
async function certificate(name: string) {
  const [key, cert] = [join(home, `${name}.key`), join(home, `${name}.pem`)]
  const made = ['-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert, '-days', '2']
  await run('openssl', ['req', '-x509', ...made, '-subj', '/CN=localhost'])
  if (process.getuid?.() === 0) chownSync(key, 65534, 65534)
  return { key, cert }
}

// The servers of the tests may run as somebody else.
chmodSync(home, 0o755)

afterAll(() => rmSync(home, { recursive: true, force: true }))

describe.skipIf(Bun.which('openssl') === null)('TLS', () => {
  test('that Postgres does not offer is a refusal at once', async () => {
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

  test('that Postgres offers is taken, and its certificate is judged where that is asked for', async () => {
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
    'that Redis does not offer, or does not do without, is named in the log',
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
        await until('it is named', () => mistaken().length > 0)
        expect(mistaken().map(({ message }) => message)).toEqual([expected])
        kv.close()
      }
      // Nor is Postgres at the port of something that speaks TLS alone.
      expect(await refusal(migrated(`postgres://u:secret@127.0.0.1:${port}/x`))).toBe(
        `Postgres at 127.0.0.1:${port}/x cannot be used: it requires TLS, and the URL asks for none: write ?sslmode=require, and name the port of Postgres itself.`,
      )
    },
    60_000,
  )
})
