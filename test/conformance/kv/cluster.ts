/** Tests of the adapter on a Redis Cluster while slots move and servers fail. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import type { OpenedKv } from '../../../adapters/kv/opened.ts'
import { slotOf } from '../../../adapters/kv/redis/redis-slots.ts'
import type { Kv } from '../../../src/ports/kv.ts'
import { until } from '../../support/servers/processes.ts'
import { startProxy } from '../../support/servers/proxy.ts'
import {
  clusterIsWhole,
  startRedis,
  startRedisCluster,
  type TestRedis,
  type TestRedisCluster,
} from '../../support/servers/redis.ts'
import { failure, type OutageOptions, works } from './outages.ts'
import { readUntil } from './watches.ts'

const deadlineMs = 500

export function kvCluster(open: (options: OutageOptions) => OpenedKv): void {
  describe('Redis Cluster', () => {
    let cluster: TestRedisCluster
    let opened: OpenedKv
    let kv: Kv
    /** A partition, its Redis key and its server. */
    const placed = (name: string) => {
      const key = ['moves', name]
      const redisKey = `turnlog:{%02moves%00%02${name}%00}`
      const slot = slotOf(redisKey)
      const index = [5461, 10_923, 16_384].findIndex((end) => slot < end)
      return { key, redisKey, slot: String(slot), index, home: nodeAt(index) }
    }
    const nodeAt = (index: number): TestRedis => {
      const node = cluster.nodes[index % 3]
      if (node === undefined) throw new Error('The cluster has not started')
      return node
    }

    // Each test has its own cluster, because tests move slots and kill servers.
    beforeEach(async () => {
      cluster = await startRedisCluster()
      opened = open({ url: cluster.url, deadlineMs })
      kv = opened.kv
      await until('it is ready', () => opened.ready())
    }, 60_000)
    afterEach(async () => {
      kv.close()
      await cluster[Symbol.asyncDispose]()
    }, 60_000)

    test('the computed slot of a key is the slot that Redis Cluster servers compute', () => {
      for (const key of ['', 'a', 'turnlog:{a}b', '{}x', 'a{b', 'x{é}y', 'x}{y}']) {
        expect(nodeAt(0).ask('CLUSTER', 'KEYSLOT', key)).toBe(String(slotOf(key)))
      }
    })

    test('after a partition moved in a Redis Cluster, calls find it at once and watches soon', async () => {
      const { key, redisKey, slot, index, home } = placed('a')
      const target = nodeAt(index + 1)
      const [from, to] = [home, target].map((node) => node.ask('CLUSTER', 'MYID'))
      const before = await kv.set([...key, 1], 'before')
      const watch = kv.watch([[...key, 1]]).getReader()
      await watch.read()
      target.ask('CLUSTER', 'SETSLOT', slot, 'IMPORTING', String(from))
      home.ask('CLUSTER', 'SETSLOT', slot, 'MIGRATING', String(to))
      home.ask('MIGRATE', '127.0.0.1', String(target.port), redisKey, '0', '1000')
      // The slot is moving: the old server redirects calls to the new one, whose partition reads as
      // absent because it comes from another run.
      expect((await kv.get([...key, 1])).value).toBe(null)
      expect((await kv.set([...key, 1], 'halfway')).versionstamp > before.versionstamp).toBe(true)
      expect((await kv.get([...key, 1])).value).toBe('halfway')
      for (const node of [target, home, nodeAt(index + 2)]) {
        node.ask('CLUSTER', 'SETSLOT', slot, 'NODE', String(to))
      }
      expect((await kv.get([...key, 1])).value).toBe('halfway')
      await readUntil(watch, ([entry]) => entry.value === 'halfway')
      await kv.set([...key, 1], 'after')
      await readUntil(watch, ([entry]) => entry.value === 'after')
      await until('changes arrive again', () => opened.listening())
      expect(target.ask('PUBSUB', 'SHARDCHANNELS')).toContain(redisKey)
    }, 60_000)

    test('the topology answer of a Redis Cluster server that has lost the other servers is not used', async () => {
      await using lone = await startRedis({ settings: { 'cluster-enabled': 'yes' } })
      const url = cluster.url.replace('//', `//127.0.0.1:${lone.port},`)
      const other = open({ url, deadlineMs })
      await until('it works', () => works(other.kv), 3000)
      other.kv.close()
    })

    test('the loss of a Redis Cluster server leaves the partitions of the other servers usable', async () => {
      const names = Array.from({ length: 12 }, (_, n) => `p${n}`)
      const lost = placed('p0')
      const [other] = names.map(placed).filter(({ index }) => index !== lost.index)
      if (other === undefined) throw new Error('All are on one server')
      await kv.set(lost.key, 'old')
      const watch = kv.watch([lost.key, other.key]).getReader()
      await watch.read()
      const dump = lost.home.dump()
      await lost.home.kill()
      expect(await failure(kv.get(lost.key), deadlineMs + 150)).toHaveProperty('outcome')
      expect(opened.ready()).toBe(false)
      expect((await kv.set(other.key, 'on')).ok).toBe(true)
      await lost.home.restart({ dump })
      await clusterIsWhole(cluster)
      await until('it is ready again', () => opened.ready())
      expect((await kv.get(lost.key)).value).toBe(null)
      await kv.set(lost.key, 'new')
      await readUntil(watch, ([a, b]) => a.value === 'new' && b.value === 'on')
    }, 60_000)

    test('a frozen server of a Redis Cluster delays calls by their deadline at most, and only calls of its own partitions', async () => {
      const frozen = placed('a-frozen')
      const names = Array.from({ length: 12 }, (_, n) => `q${n}`)
      const [other] = names.map(placed).filter(({ index }) => index !== frozen.index)
      if (other === undefined) throw new Error('All are on one server')
      frozen.home.freeze()
      try {
        expect(await failure(kv.get(frozen.key), deadlineMs + 150)).toMatchObject({
          outcome: 'unknown',
        })
        expect(await failure(kv.get(frozen.key), 150)).toMatchObject({ outcome: 'not-sent' })
        await kv.set(other.key, 1)
        const both = kv.getMany([other.key, frozen.key])
        expect(await failure(both, 150)).toMatchObject({ outcome: 'not-sent' })
      } finally {
        frozen.home.thaw()
      }
      await until('it answers again', () => works(kv))
      await until('it is ready again', () => opened.ready())
    }, 60_000)

    test('a Redis connection that leads to a replica or stopped receiving changes is replaced', async () => {
      await using server = await startRedis({ settings: { 'cluster-enabled': 'yes' } })
      await using proxy = await startProxy(server.port)
      server.ask('CONFIG', 'SET', 'cluster-announce-port', String(proxy.port))
      server.ask('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
      const events: string[] = []
      const url = `redis-cluster://127.0.0.1:${proxy.port}`
      const behind = open({ url, deadlineMs, onEvent: ({ type }) => events.push(type) })
      await until('a probe succeeds', async () => {
        return (
          (await behind.probe?.().then(
            () => true,
            () => false,
          )) === true
        )
      })
      const watch = behind.kv.watch([['dialled', 'a']]).getReader()
      await watch.read()
      const dialled = proxy.made
      // The answer to a commit is replaced by that of a master that was demoted a moment ago.
      proxy.onServerBytes = (chunk) =>
        /^\$20\r\n/.test(chunk.toString('latin1'))
          ? Buffer.from("-READONLY You can't write against a read only replica.\r\n")
          : 'pass'
      for (const write of [behind.kv.set(['dialled', 'a'], 1), behind.probe?.()])
        expect(await failure(Promise.resolve(write), deadlineMs + 150)).toHaveProperty('outcome')
      proxy.onServerBytes = undefined
      await until('another connection is made', () => proxy.made === dialled + 1)
      await until('writes succeed', async () => {
        return await behind.kv.set(['dialled', 'a'], 2).then(
          () => true,
          () => false,
        )
      })
      proxy.swallow((chunk) => /\r\nsmessage\r\n/.test(chunk.toString('latin1')))
      await behind.kv.set(['dialled', 'a'], 3)
      await until('it is noticed and mended', () => events.includes('hints-arrive'))
      await readUntil(watch, ([entry]) => entry.value === 3)
      expect(events).toEqual(['deaf', 'hints-arrive'])
      behind.kv.close()
    }, 60_000)
  })
}
