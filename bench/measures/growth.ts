/**
 * A turn at the end of a long conversation, against one at the end of a short one: time, and bytes
 * to Redis.
 */

import { startNode } from '../../test/support/servers/node.ts'
import { testDatabaseUrl } from '../../test/support/servers/postgres.ts'
import { until } from '../../test/support/servers/processes.ts'
import { startRedis, type TestRedis } from '../../test/support/servers/redis.ts'
import { must, recordTurn } from '../../test/support/writing/client.ts'
import { conversationId, runs, turn } from '../load/scene.ts'
import { seed } from '../load/seed.ts'
import { median, type Sample } from '../report/comparison.ts'
import type { Ledger } from '../report/ledger.ts'

/** Turns added to a conversation at a time: few, so that a short conversation stays short. */
const block = 10
const blocks = 10
const [short, middle, long] = [10, 1000, 100_000]

type Cost = { readonly times: number[]; bytes: number }

export async function benchGrowth(ledger: Ledger): Promise<void> {
  const url = await testDatabaseUrl()
  await using redis = await startRedis()
  await using node = await startNode({ DATABASE_URL: url, REDIS_URL: `${redis.url}/0` })
  const [longOne, middleOne, firstShort] = [1, 2, 3]
  await seed(url, { first: longOne, conversations: 1, messages: long })
  await seed(url, { first: middleOne, conversations: 1, messages: middle })
  await seed(url, { first: firstShort, conversations: blocks * (runs + 1), messages: short })
  const samplesByLength = { short: samples(), middle: samples(), long: samples() }
  let next = firstShort
  for (let run = 0; run <= runs; run += 1) {
    const costs = { short: cost(), middle: cost(), long: cost() }
    // The lengths also alternate within a run, so that a busy moment of the machine meets all
    // three.
    for (let n = 0; n < blocks; n += 1) {
      await addBlock(costs.short, node.url, redis, next)
      await addBlock(costs.middle, node.url, redis, middleOne)
      await addBlock(costs.long, node.url, redis, longOne)
      next += 1
    }
    // The first run warms up.
    if (run === 0) continue
    for (const length of ['short', 'middle', 'long'] as const) {
      const { times, bytes } = costs[length]
      samplesByLength[length].time.push({ value: median(times) })
      samplesByLength[length].bytes.push({ value: bytes / times.length })
    }
  }
  ledger.put('growth-time', samplesByLength.long.time, samplesByLength.short.time)
  ledger.put('growth-bytes', samplesByLength.long.bytes, samplesByLength.short.bytes)
  ledger.put('growth-time-1000', samplesByLength.middle.time, samplesByLength.short.time)
  ledger.put('growth-bytes-1000', samplesByLength.middle.bytes, samplesByLength.short.bytes)
}

const samples = () => ({ time: [] as Sample[], bytes: [] as Sample[] })
const cost = (): Cost => ({ times: [], bytes: 0 })

async function addBlock(cost: Cost, url: string, redis: TestRedis, n: number): Promise<void> {
  const path = `${url}/v1/conversations/${conversationId(n)}`
  const isCached = async () =>
    (await fetch(`${path}/history?last=5&consistency=eventual`)).headers.get('turnlog-source') ===
    'cache'
  await until('the window is cached', isCached)
  const before = bytesIn(redis)
  for (let count = 0; count < block; count += 1) {
    const began = performance.now()
    must(await recordTurn(url, conversationId(n), turn))
    cost.times.push(performance.now() - began)
  }
  await until('the last turn is cached', isCached)
  cost.bytes += bytesIn(redis) - before
}

const bytesIn = (redis: TestRedis): number =>
  Number(/total_net_input_bytes:(\d+)/.exec(redis.ask('INFO', 'stats'))?.[1])
