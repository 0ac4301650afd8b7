/** Every adapter of the key-value port, held to it; and what only one of them promises. */
import { test } from 'bun:test'
import { openMemory } from '../adapters/kv/memory.ts'
import type { OpenedKv } from '../adapters/kv/opened.ts'
import { openRedis } from '../adapters/kv/redis.ts'
import { openRedisCluster } from '../adapters/kv/redis-cluster.ts'
import type { Kv } from '../src/ports/kv.ts'
import { bunRunner } from './conformance/bun-runner.ts'
import { type KvConformance, kvConformance } from './conformance/kv.ts'
import { kvOutages } from './conformance/kv-outages.ts'
import { kvRedisCosts } from './conformance/kv-redis-costs.ts'
import { until } from './support/processes.ts'
import {
  clusterIsWhole,
  redisMissing,
  startRedis,
  startRedisCluster,
  type TestRedis,
} from './support/redis.ts'

kvConformance(
  'Memory',
  {
    async create() {
      const bytesMax = 10_000_000
      const kv = openMemory({ bytesMax })
      return {
        // A memory of one process: who opens it again gets another one.
        open: async () => openMemory({ bytesMax }),
        async evict(of, key) {
          // Not read meanwhile, for that would keep it.
          for (let n = 0; n < 200; n++) {
            await of.set(['conformance', `filler-${n}`], new Uint8Array(65_000))
          }
          if ((await of.get(key)).value !== null) throw new Error('It is still there')
        },
        async restart(before) {
          before.close()
          return openMemory({ bytesMax })
        },
        async [Symbol.asyncDispose]() {
          kv.close()
        },
      }
    },
    skip: [
      {
        reason: 'each one opened is its own',
        tests: ['two who open the store hear of each other'],
      },
      {
        reason: 'nobody else can empty it',
        tests: ['no versionstamp is used again after all data was lost'],
      },
    ],
  },
  bunRunner,
)

/** Registers what needs a Redis; where there is none, says so, and in CI fails. */
function withRedis(name: string, body: () => void): void {
  const reason = redisMissing()
  if (reason === undefined) body()
  else if (process.env['CI'] === 'true') {
    test(`${name} has a Redis to test on`, () => {
      throw new Error(reason)
    })
  } else bunRunner.skip(`${name} (${reason})`, async () => {})
}

/** Waits until calls can be expected to work. */
export async function readied(opened: OpenedKv): Promise<Kv> {
  await until(`${opened.name} is ready`, () => opened.ready())
  return opened.kv
}

const onePartition = {
  reason: 'a partition is served at a time',
  tests: ['a list goes over partitions', 'a commit goes over partitions'],
}

function redisSubject(start: () => Promise<TestRedis>): KvConformance['create'] {
  return async () => {
    const server = await start()
    return {
      open: () => readied(openRedis({ url: server.url, deadlineMs: 5000 })),
      async wipe() {
        server.ask('FLUSHALL')
      },
      async evict(kv, key) {
        // At random: looking whether it is still there would keep what is recently used.
        server.ask('CONFIG', 'SET', 'maxmemory', '4mb', 'maxmemory-policy', 'allkeys-random')
        for (let n = 0; n < 5000 && ((await kv.get(key)).value !== null || n < 80); n++) {
          await kv.set(['conformance', `filler-${n}`], new Uint8Array(65_000))
        }
        if ((await kv.get(key)).value !== null) throw new Error('It is still there')
        server.ask('CONFIG', 'SET', 'maxmemory', '0')
      },
      async restart(kv) {
        const dump = server.dump()
        kv.close()
        await server.restart({ dump })
        return await readied(openRedis({ url: server.url, deadlineMs: 5000 }))
      },
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    }
  }
}

withRedis('Redis', () => {
  kvConformance('Redis', { create: redisSubject(startRedis), skip: [onePartition] }, bunRunner)
  kvConformance(
    'Redis Cluster',
    {
      async create() {
        const cluster = await startRedisCluster()
        const open = () => readied(openRedisCluster({ url: cluster.url, deadlineMs: 5000 }))
        return {
          open,
          async wipe() {
            for (const node of cluster.nodes) node.ask('FLUSHALL')
          },
          async restart(kv) {
            kv.close()
            for (const node of cluster.nodes) await node.restart({ dump: node.dump() })
            await clusterIsWhole(cluster)
            return await open()
          },
          [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
        }
      },
      skip: [
        onePartition,
        {
          reason: 'each server evicts as a single one does',
          tests: [
            'no versionstamp is used again after an eviction',
            'a partition is evicted whole or not at all',
          ],
        },
      ],
    },
    bunRunner,
  )
  kvOutages('Redis', openRedis)
  kvRedisCosts(openRedis)
})
