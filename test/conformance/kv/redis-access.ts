/** Tests of access to Redis: URLs, users and their rights, TLS. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { KvEvent, OpenedKv } from '../../../adapters/kv/opened.ts'
import { until } from '../../support/servers/processes.ts'
import { stablePort, startRedis, type TestRedis } from '../../support/servers/redis.ts'
import { failure, type OutageOptions } from './outages.ts'

const root = join(import.meta.dir, '../../..')

export function kvRedisAccess(open: (options: OutageOptions) => OpenedKv): void {
  describe('A user of Redis', () => {
    let server: TestRedis
    let events: KvEvent[] = []
    const openAt = (url: string) =>
      open({ url, deadlineMs: 2000, onEvent: (event) => events.push(event) })
    const openAs = async (user: string, ...rights: string[]) => {
      events = []
      server.ask('ACL', 'SETUSER', user, 'reset', 'on', '>hush', ...rights)
      const opened = openAt(server.url.replace('//', `//${user}:hush@`))
      await until('it is ready', () => opened.ready())
      return opened
    }
    beforeAll(async () => {
      server = await startRedis()
    }, 30_000)
    afterAll(() => server[Symbol.asyncDispose]())

    test('a user of Redis needs only the rights that the decision lists', async () => {
      const page = readFileSync(join(root, 'docs/decisions/2026-11-23-kv-on-redis.md'), 'utf8')
      const [, shown = ''] = /ACL SETUSER turnlog on >password ([^`]+)`/.exec(page) ?? []
      const { kv } = await openAs('named', ...shown.split(/\s+/))
      const watch = kv.watch([['rights', 'a']]).getReader()
      await watch.read()
      for (const expireIn of [60_000, 1, undefined]) {
        const options = expireIn === undefined ? {} : { expireIn }
        for (let n = 0; n < 2; n++) await kv.set(['rights', 'a', n], n, options)
        await Bun.sleep(2)
      }
      await kv.atomic().sum(['rights', 'a'], 1n).delete(['rights', 'a', 1]).commit()
      await watch.read()
      expect(await Array.fromAsync(kv.list({ prefix: ['rights', 'a'] }))).toHaveLength(1)
      const reverse = kv.list({ prefix: ['rights', 'a'] }, { reverse: true })
      expect(await Array.fromAsync(reverse)).toHaveLength(1)
      // A partition of another run, such as a restart from a dump leaves.
      const [name = ''] = server.ask('KEYS', '*rights*').split('\n')
      const script = `
        local member = redis.call('ZRANGE', KEYS[1], -1, -1)[1]
        redis.call('ZREM', KEYS[1], member)
        redis.call('ZADD', KEYS[1], 0, '\\255' .. string.rep('0', 40) .. string.sub(member, 42))`
      server.ask('EVAL', script, '1', name)
      expect((await kv.get(['rights', 'a'])).value).toBe(null)
      await kv.set(['rights', 'a'], 1)
      kv.close()
    })

    test('a commit of a Redis user without the right to publish changes nothing, and a missing right to subscribe is reported', async () => {
      const opened = await openAs('mute', '~*', '+@all')
      const { kv } = opened
      const watch = kv.watch([['mute', 'a']]).getReader()
      void watch.read().catch(() => {})
      const commit = kv.set(['mute', 'a'], 1)
      expect(await failure(commit, 2000)).toMatchObject({ outcome: 'refused' })
      expect((await kv.get(['mute', 'a'])).value).toBe(null)
      await until('it is reported', () => events.length > 0)
      expect(opened.listening()).toBe(false)
      expect(events.map(({ type }) => type)).toEqual(['hints-lost'])
      expect(events[0]?.message).toContain('NOPERM')
      server.ask('ACL', 'SETUSER', 'mute', '&turnlog:*')
      await kv.set(['mute', 'a'], 1)
      await until('changes arrive', () => opened.listening())
      expect(events.map(({ type }) => type)).toEqual(['hints-lost', 'hints-arrive'])
      kv.close()
    })

    test('a user who loses a right within a commit leaves no readable entry, and can write again with the right', async () => {
      const opened = await openAs('halfway', '~*', '&turnlog:*', '+@all')
      const { kv } = opened
      const key = (n: number) => ['halfway', 'a', n]
      await kv.atomic().set(key(1), 1).set(key(2), 2).commit()
      server.ask('ACL', 'SETUSER', 'halfway', '-zadd')
      for (let n = 0; n < 2; n++) {
        expect(await failure(kv.set(key(1), 'new'), 2000)).toMatchObject({
          outcome: 'refused',
          refusesWrites: true,
        })
      }
      expect(await Array.fromAsync(kv.list({ prefix: ['halfway', 'a'] }))).toEqual([])
      server.ask('ACL', 'SETUSER', 'halfway', '+zadd')
      await kv.set(key(3), 3)
      const values = await Array.fromAsync(
        kv.list({ prefix: ['halfway', 'a'] }),
        (each) => each.value,
      )
      expect(values).toEqual([3])
      kv.close()
    })

    test('a wrong password is reported once, without the password', async () => {
      events = []
      const opened = openAt(server.url.replace('//', '//default:hush@'))
      server.ask('CONFIG', 'SET', 'requirepass', 'other')
      await until('it is reported', () => events.length > 0)
      expect(events.map(({ type }) => type)).toEqual(['unreachable'])
      expect(events[0]?.message).toContain('WRONGPASS')
      expect(JSON.stringify(events)).not.toContain('hush')
      opened.kv.close()
      server.ask('-a', 'other', '--no-auth-warning', 'CONFIG', 'SET', 'requirepass', '')
    })

    test('a Redis connection goes to the server of its own URL, whichever URLs were opened before', async () => {
      const named = openAt(server.url)
      events = []
      const standard = openAt('redis://127.0.0.1/5')
      await until('it has tried to connect', () => events.length > 0 || standard.ready())
      expect(server.ask('CLIENT', 'LIST')).not.toContain(' db=5 ')
      named.kv.close()
      standard.kv.close()
    })

    test.skipIf(Bun.which('openssl') === null)(
      'a connection with TLS and one without work side by side',
      async () => {
        const directory = mkdtempSync(join(tmpdir(), 'turnlog-test-'))
        const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')]
        const request = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2
        -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout ${key} -out ${cert}`
        Bun.spawnSync(['openssl', ...request.split(/\s+/)], { stderr: 'ignore' })
        const port = String(await stablePort())
        await using secure = await startRedis({
          settings: {
            'tls-port': port,
            'tls-cert-file': cert,
            'tls-key-file': key,
            'tls-ca-cert-file': cert,
            'tls-auth-clients': 'no',
          },
        })
        const script = `
        const { openRedis } = await import('./adapters/kv/redis/redis.ts')
        const plain = openRedis({ url: '${secure.url}', deadlineMs: 2000 })
        const { kv, ready } = openRedis({ url: 'rediss://localhost:${port}/1', deadlineMs: 2000 })
        while (!ready()) await Bun.sleep(5)
        const watch = kv.watch([['a', 'b']]).getReader()
        await watch.read()
        await kv.set(['a', 'b'], new Uint8Array(60_000))
        console.log((await watch.read()).value[0].value.length)
        plain.kv.close()
        kv.close()`
        const child = Bun.spawn([process.execPath, '-e', script], {
          cwd: root,
          env: { ...process.env, NODE_EXTRA_CA_CERTS: cert },
          stderr: 'pipe',
        })
        expect(await new Response(child.stderr).text()).toBe('')
        expect(await new Response(child.stdout).text()).toBe('60000\n')
        expect(secure.ask('-n', '1', 'DBSIZE')).toBe('1')
        rmSync(directory, { recursive: true })
      },
      10_000,
    )
  })
}
