/** A turn at the end of a long conversation beside one at the end of a short one: time, and bytes to Redis. */
import postgres from 'postgres'
import { startNode } from '../test/support/node.ts'
import { testDatabaseUrl } from '../test/support/postgres.ts'
import { until } from '../test/support/processes.ts'
import { startRedis, stopTestRedis, type TestRedis } from '../test/support/redis.ts'
import { type Comparison, median } from './comparison.ts'
import { answer, conversationId, question, runs } from './scene.ts'

const turns = 100
const lengths = [10, 1000, 100_000]

type Cost = { ms: number; bytes: number }

/** Ratios against the shortest: 1 is no growth. */
export async function benchGrowth(): Promise<Comparison[]> {
  const url = await testDatabaseUrl()
  await using redis = await startRedis()
  await using node = await startNode({ DATABASE_URL: url, REDIS_URL: `${redis.url}/0` })
  const costs = new Map<number, Cost[]>(lengths.map((length) => [length, []]))
  let n = 0
  for (let run = 0; run <= runs; run += 1)
    for (const length of lengths) {
      n += 1
      await longConversation(url, conversationId(n), length)
      const cost = await costOf(node.url, redis, conversationId(n), length)
      // The first round warms up.
      if (run > 0) costs.get(length)?.push(cost)
    }
  await stopTestRedis()
  const [shortest = 10, ...longer] = lengths
  return longer.flatMap((length) =>
    (['ms', 'bytes'] as const).map((what) => ({
      name: `a turn at ${length} messages against one at ${shortest}`,
      unit: what === 'ms' ? 'ms/turn' : 'bytes to Redis/turn',
      ours: (costs.get(length) ?? []).map((cost) => cost[what]),
      baseline: (costs.get(shortest) ?? []).map((cost) => cost[what]),
    })),
  )
}

/** Its rows are written as the service writes them, but all at once. */
async function longConversation(url: string, id: string, length: number): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  await sql`insert into conversations (id, tenant, version, self_version, last_seq, created_at, last_message_at)
    values (${id}, 'default', ${1 + length / 2}, 1, ${length}, now(), now())`
  await sql`insert into conversation_messages
      (conversation_id, seq, id, tenant, turn_id, version, role, parts, message_type, created_at)
    select ${id}, n, md5(${id} || n)::uuid, 'default', md5(${id} || ((n - 1) / 2 * 2 + 1))::uuid, 2 + (n - 1) / 2,
      case when n % 2 = 1 then 'human' else 'ai' end,
      array[case when n % 2 = 1 then ${question} else ${answer} end], 'text', now()
    from generate_series(1, ${length}) n`
  await sql.end()
}

async function costOf(url: string, redis: TestRedis, id: string, length: number): Promise<Cost> {
  const path = `${url}/v1/conversations/${id}`
  const isCached = async () =>
    (await fetch(`${path}/history?last=5&consistency=eventual`)).headers.get('turnlog-source') ===
    'cache'
  await until('the window is there', isCached)
  // A short conversation stays short: its window grows as it is measured, from ten to some more.
  const count = Math.min(turns, Math.max(10, length / 10))
  const times: number[] = []
  const before = bytesIn(redis)
  for (let turn = 0; turn < count; turn += 1) {
    const began = performance.now()
    const response = await fetch(`${path}/turns`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ user: { text: question }, assistant: { responses: [answer] } }),
    })
    if (!response.ok) throw new Error(await response.text())
    await response.arrayBuffer()
    times.push(performance.now() - began)
  }
  await until('the last is cached', isCached)
  return { ms: median(times), bytes: (bytesIn(redis) - before) / count }
}

const bytesIn = (redis: TestRedis): number =>
  Number(/total_net_input_bytes:(\d+)/.exec(redis.ask('INFO', 'stats'))?.[1])
