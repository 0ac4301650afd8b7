/** Tests of the adapter on Redis with servers that become replicas, and masters again. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import type { OpenedKv } from '../../../adapters/kv/opened.ts'
import type { KvError } from '../../../src/ports/kv.ts'
import { until } from '../../support/servers/processes.ts'
import { startProxy } from '../../support/servers/proxy.ts'
import { startRedis, type TestRedis } from '../../support/servers/redis.ts'
import { failure, type OutageOptions, works } from './outages.ts'

const deadlineMs = 2000

export function kvRedisRoles(open: (options: OutageOptions) => OpenedKv): void {
  describe('Two servers of Redis', () => {
    let [first, second]: TestRedis[] = []
    const both = () => {
      if (first === undefined || second === undefined) throw new Error('They have not started')
      return [first, second] as const
    }
    const follow = async (replica: TestRedis, master: TestRedis) => {
      replica.ask('REPLICAOF', '127.0.0.1', String(master.port))
      const isUp = () => /master_link_status:up/.test(replica.ask('INFO', 'replication'))
      await until('the replica follows', isUp)
    }
    const readied = async ({ url }: { url: string }) => {
      const opened = open({ url, deadlineMs })
      await until('it is ready', () => opened.ready())
      return opened.kv
    }
    beforeEach(async () => {
      // Without this setting, Redis waits five seconds after the first replica for others.
      const settings = { 'repl-diskless-sync-delay': '0' }
      first = await startRedis({ settings })
      second = await startRedis({ settings })
    }, 30_000)
    afterEach(async () => {
      for (const each of both()) await each[Symbol.asyncDispose]()
    }, 30_000)

    test('a Redis that became a replica and then a master again returns no entry from before that', async () => {
      const [a, b] = both()
      await follow(b, a)
      const [onA, onB] = [await readied(a), await readied(b)]
      const key = ['roles', 'a']
      const replicated = await onA.set(key, 'reached the replica')
      a.ask('WAIT', '1', '1000')
      b.ask('REPLICAOF', 'NO', 'ONE')
      const lost = await onA.set(key, 'lost with the master')
      expect((await onB.get(key)).value).toBe(null)
      await follow(a, b)
      const write = onA.set(['roles', 'b'], 1)
      expect(await failure(write, deadlineMs)).toMatchObject({ outcome: 'refused' })
      await until('the replica is recognised', async () => {
        // The old entry may be returned for a moment; after that, only no entry.
        const { value } = await onA.get(key).catch(() => ({ value: null }))
        return value === null
      })
      a.ask('REPLICAOF', 'NO', 'ONE')
      await until('it works', () => works(onA))
      expect((await onA.get(key)).value).toBe(null)
      for (const { versionstamp } of [replicated, lost]) {
        const commit = onA.atomic().check({ key, versionstamp })
        expect(await commit.set(key, 'wrong').commit()).toEqual({ ok: false })
      }
      const again = await onA.set(key, 'again')
      expect(again.versionstamp > lost.versionstamp).toBe(true)
      onA.close()
      onB.close()
    }, 20_000)

    test('a change of the roles of Redis servers is noticed within seconds even if no call is made', async () => {
      const [a, b] = both()
      for (const each of [a, b]) each.ask('REPLICAOF', 'NO', 'ONE')
      const onA = await readied(a)
      const key = ['unseen', 'a']
      await onA.set(key, 'old')
      await follow(b, a)
      b.ask('REPLICAOF', 'NO', 'ONE')
      await follow(a, b)
      a.ask('REPLICAOF', 'NO', 'ONE')
      const isGone = async () => {
        const { value } = await onA.get(key).catch(() => ({ value: 'unknown' }))
        return value === null
      }
      await until('the entry from the other server is no longer returned', isGone, 3000)
      onA.close()
    }, 20_000)

    test("a connection to a demoted master is replaced by one to the address's new master", async () => {
      const [a, b] = both()
      for (const each of [a, b]) each.ask('REPLICAOF', 'NO', 'ONE')
      await using proxy = await startProxy(a.port)
      const onName = await readied({ url: `redis://127.0.0.1:${proxy.port}` })
      const watch = onName.watch([['name', 'a']]).getReader()
      await watch.read()
      await onName.set(['name', 'a'], 1)
      await watch.read()
      // Open connections stay with the old master, as behind a balancer.
      proxy.targetPort = b.port
      await follow(a, b)
      const write = onName.set(['name', 'a'], 2)
      expect(await failure(write, deadlineMs)).toMatchObject({
        outcome: 'refused',
        refusesWrites: true,
        message: expect.stringContaining('READONLY'),
      })
      const isTaken = () =>
        onName.set(['name', 'a'], 3).then(
          () => true,
          () => false,
        )
      await until('writes reach the new master', isTaken, 5000)
      expect(b.ask('EXISTS', 'turnlog:{%02name%00%02a%00}')).toBe('1')
      onName.close()
    }, 20_000)

    test('a Redis address that leads to a replica gets a new connection at most every two seconds', async () => {
      const [a] = both()
      a.ask('REPLICAOF', 'NO', 'ONE')
      await using proxy = await startProxy(a.port)
      const onA = await readied({ url: `redis://127.0.0.1:${proxy.port}` })
      await onA.set(['alone', 'a'], 1)
      a.ask('REPLICAOF', '127.0.0.1', '1')
      const connections = proxy.made
      const startedAt = performance.now()
      for (let now = startedAt; now - startedAt < 1500; now = performance.now()) {
        await onA.set(['alone', 'a'], 2).catch(() => {})
        // Without this pause, calls that are refused at once would never let arriving data be read.
        await Bun.sleep(1)
      }
      expect(proxy.made - connections).toBe(1)
      a.ask('REPLICAOF', 'NO', 'ONE')
      onA.close()
    }, 20_000)

    test('an answer of Redis that was requested before a change of roles was noticed is not returned', async () => {
      const [a, b] = both()
      for (const each of [a, b]) each.ask('REPLICAOF', 'NO', 'ONE')
      await using proxy = await startProxy(a.port)
      const onA = await readied({ url: `redis://127.0.0.1:${proxy.port}` })
      await onA.set(['asked', 'a'], 'old')
      await follow(b, a)
      await follow(a, b)
      a.ask('REPLICAOF', 'NO', 'ONE')
      // Calls are sent while the answer that shows the change is on its way.
      proxy.delayMs = 60
      const values: unknown[] = []
      const get = () =>
        onA.get(['asked', 'a']).then(
          ({ value }) => values.push(value),
          (thrown: KvError) => values.push(thrown.outcome),
        )
      await until(
        'it is noticed',
        () => {
          void get()
          return values.includes(null)
        },
        3000,
      )
      expect(values).toContain('unknown')
      expect(values.lastIndexOf('old')).toBeLessThan(values.indexOf('unknown'))
      onA.close()
    }, 20_000)
  })
}
