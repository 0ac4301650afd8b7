/** Tests of the promises that only the layout on Redis makes: round trips, memory and names. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { OpenedKv } from '../../../adapters/kv/opened.ts'
import type { Kv, KvError } from '../../../src/ports/kv.ts'
import { until } from '../../support/servers/processes.ts'
import { startRedis, type TestRedis } from '../../support/servers/redis.ts'
import { type OutageOptions, works } from './outages.ts'

export function kvRedisCosts(open: (options: OutageOptions) => OpenedKv): void {
  describe('The layout on Redis', () => {
    let server: TestRedis
    let opened: OpenedKv
    let kv: Kv
    const openAt = async (url: string, namespace = 'turnlog') => {
      const other = open({ url, deadlineMs: 2000, namespace })
      await until('it is ready', () => other.ready())
      return other
    }
    beforeAll(async () => {
      server = await startRedis()
      opened = await openAt(server.url)
      kv = opened.kv
    }, 30_000)
    afterAll(async () => {
      kv.close()
      await server[Symbol.asyncDispose]()
    })

    /**
     * The number of commands that the server received during `body`, without those inside of
     * scripts.
     */
    const commandsOf = async (body: () => Promise<unknown>) => {
      server.ask('CONFIG', 'RESETSTAT')
      await body()
      const stats = server.ask('INFO', 'commandstats')
      return [...stats.matchAll(/^cmdstat_(evalsha|eval|get|zrange\w*):calls=(\d+)/gm)]
        .filter(([, name = '']) => name.startsWith('eval'))
        .reduce((sum, [, , calls]) => sum + Number(calls), 0)
    }

    test('a get, a commit, and a read of the head and the newest 50 entries take one round trip each', async () => {
      const partition = ['history', 'default/1']
      const entries = Array.from({ length: 64 }, (_, n) => n + 1000)
      const fill = kv.atomic().set([...partition, true], 'head')
      for (const n of entries)
        fill.set([...partition, n], new Uint8Array(300), { expireIn: 60_000 })
      await fill.commit()
      // After these calls the server has the scripts.
      await kv.get(partition)
      await kv.list({ prefix: partition }).next()
      expect(await commandsOf(() => kv.get([...partition, true]))).toBe(1)
      const keys = [partition, ['live', 'default/1'], [...partition, 1001]]
      expect(await commandsOf(() => kv.getMany(keys))).toBe(1)
      expect(
        await commandsOf(async () => {
          const list = kv.list({ prefix: partition }, { reverse: true, limit: 51 })
          const found = await Array.fromAsync(list, ({ key }) => key.at(-1))
          expect(found).toEqual([true, ...entries.slice(-50).reverse()])
        }),
      ).toBe(1)
      const { versionstamp } = await kv.get([...partition, true])
      const turn = kv.atomic().check({ key: [...partition, true], versionstamp })
      turn
        .set([...partition, true], 'head')
        .set([...partition, 1064], 1)
        .delete([...partition, 1000])
      expect(await commandsOf(() => turn.commit())).toBe(1)
    })

    test('a turn and a read cost about the same in a partition of 10 entries as in one of 10,000', async () => {
      const microsOf = async (partition: string[], size: number) => {
        for (let from = 0; from < size; from += 500) {
          const fill = kv.atomic().set([...partition, true], 'head')
          for (let n = from; n < Math.min(size, from + 500); n++) fill.set([...partition, n], 'x')
          await fill.commit()
        }
        server.ask('CONFIG', 'RESETSTAT')
        for (let n = 0; n < 300; n++) {
          const turn = kv
            .atomic()
            .set([...partition, true], n)
            .set([...partition, size + n], n)
          await turn.delete([...partition, n]).commit()
          await Array.fromAsync(kv.list({ prefix: partition }, { reverse: true, limit: 9 }))
        }
        const stats = server.ask('INFO', 'commandstats')
        return Number(/cmdstat_evalsha:calls=600,.*?usec_per_call=([\d.]+)/.exec(stats)?.[1])
      }
      const small = await microsOf(['costs', 'small'], 10)
      const large = await microsOf(['costs', 'large'], 10_000)
      // The allowance covers logarithms and the noise of a machine that does other work.
      expect(large / small).toBeLessThan(3)
    })

    test('expired entries disappear from a partition that is written to', async () => {
      const partition = ['expiry', 'one']
      for (let n = 0; n < 400; n++) {
        const turn = kv.atomic().set([...partition, 'head'], n, { expireIn: 60_000 })
        await turn.set([...partition, n], 'short', { expireIn: 5 }).commit()
      }
      const [name = ''] = server.ask('KEYS', '*expiry*').split('\n')
      expect(Number(server.ask('PTTL', name))).toBeWithin(50_000, 60_001)
      await until('expired entries have disappeared', async () => {
        await kv.set([...partition, 'head'], 1, { expireIn: 60_000 })
        // The head and the facts of the partition are left.
        return Number(server.ask('ZCARD', name)) === 2
      })
      await kv.set([...partition, 'stays'], 1)
      expect(server.ask('PTTL', name)).toBe('-1')
      await kv.delete([...partition, 'stays'])
      expect(Number(server.ask('PTTL', name))).toBeWithin(50_000, 60_001)
      await kv.delete([...partition, 'head'])
      expect(server.ask('EXISTS', name)).toBe('0')
    })

    test('no versionstamp is used again after the clock was set back', async () => {
      // Instead of setting the clock back, the partition gets a last versionstamp in the future.
      const key = ['clock', 'one']
      await kv.set(key, 1)
      const [name = ''] = server.ask('KEYS', '*clock*').split('\n')
      const ahead = (Date.now() + 3_600_000) * 1000
      const script = `
        local member = redis.call('ZRANGE', KEYS[1], -1, -1)[1]
        redis.call('ZREM', KEYS[1], member)
        redis.call('ZADD', KEYS[1], 0, string.sub(member, 1, 41) .. string.format('%013x', ARGV[1]) .. string.sub(member, 55))`
      server.ask('EVAL', script, '1', name, String(ahead))
      const stamps = [await kv.set(key, 2), await kv.set(key, 3)].map((each) => each.versionstamp)
      expect(stamps.map((each) => Number.parseInt(each.slice(0, 13), 16))).toEqual([
        ahead + 1,
        ahead + 2,
      ])
    })

    test('the bytes that wait for a silent Redis are bounded', async () => {
      server.freeze()
      const value = new Uint8Array(65_000)
      const commits = Array.from({ length: 120 }, async () => {
        const commit = kv.atomic()
        for (let n = 0; n < 12; n++) commit.set(['costs', 'bounded', n], value)
        return await commit.commit()
      })
      const refused: KvError[] = []
      for (const commit of commits) {
        commit.catch(
          (thrown: KvError) => / bytes already wait /.test(thrown.message) && refused.push(thrown),
        )
      }
      await until('some are refused', () => refused.length > 0, 1000)
      server.thaw()
      await Promise.allSettled(commits)
      expect(refused.length).toBeWithin(30, 40)
      expect(refused[0]).toMatchObject({ outcome: 'not-sent' })
      // Other calls may be late here. The server answers them in the end.
      await until('there is room again', () => works(kv))
    }, 20_000)

    test('a Cluster refuses a KV call with keys of several partitions, and the error names the rule for partitions', async () => {
      const commit = () => kv.atomic().set(['a', 'b'], 1).set(['a', 'c'], 1).commit()
      expect(commit).toThrow(/TypeError|partition.*first two parts/)
      const lists = [
        { prefix: [] },
        { prefix: ['a'] },
        { start: ['a'], end: ['a', 'b'] },
        { start: ['a', 'b'], end: ['a', 'c'] },
      ]
      for (const selector of lists) {
        expect(() => kv.list(selector).next()).toThrow(/partition.*first two key parts/)
      }
      expect(await Array.fromAsync(kv.list({ prefix: ['a', 'b'] }))).toEqual([])
    })

    test('Redis databases and namespaces do not share entries', async () => {
      const third = await openAt(`${server.url}/3`)
      const named = await openAt(server.url, 'other')
      await third.kv.set(['where'], 'third')
      await named.kv.set(['where'], 'other')
      await kv.set(['where'], 'first')
      expect(server.ask('-n', '3', 'KEYS', '*')).toMatch(/^turnlog:\{/)
      expect(third.name).toEndWith('/3')
      for (const [each, value] of [[third, 'third'] as const, [named, 'other'] as const]) {
        expect((await each.kv.get(['where'])).value).toBe(value)
        each.kv.close()
      }
      expect((await kv.get(['where'])).value).toBe('first')
    })

    test('the Redis key of a partition consists of readable characters', async () => {
      await kv.set(['history', 'default/018f'], 1)
      expect(server.ask('KEYS', '*018f*')).toBe('turnlog:{%02history%00%02default/018f%00}')
    })

    test('a process ends after it closed the KV, connected or not', async () => {
      const script = `
        const { openRedis } = await import('./adapters/kv/redis/redis.ts')
        const opened = openRedis({ url: process.argv[1], deadlineMs: 60_000 })
        void opened.kv.watch([['a', 'b']]).getReader().read()
        const call = opened.kv.get(['a', 'b']).catch(() => {})
        await Bun.sleep(200)
        opened.kv.close()
        await call`
      for (const url of [server.url, 'redis://127.0.0.1:1']) {
        const child = Bun.spawn([process.execPath, '-e', script, url], {
          cwd: `${import.meta.dir}/../../..`,
          stderr: 'pipe',
        })
        const startedAt = performance.now()
        // The deadline of the call would keep the process running for a minute.
        expect(await new Response(child.stderr).text()).toBe('')
        expect(await child.exited).toBe(0)
        expect(performance.now() - startedAt).toBeLessThan(30_000)
      }
    })
  })
}
