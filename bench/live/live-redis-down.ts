/** Live delivery while Redis is down: another node finds a commit only by its poll. */
import { type App, createApp } from '../../src/app.ts'
import { configWith } from '../../src/config.ts'
import { createEvents } from '../../src/events.ts'
import { testDatabaseUrl } from '../../test/support/servers/postgres.ts'
import { startRedis } from '../../test/support/servers/redis.ts'
import { runs, seconds } from '../load/scene.ts'
import type { Sample } from '../report/comparison.ts'
import type { Ledger } from '../report/ledger.ts'
import { createClock, follow, newConversation, openConfigured, record } from './live-latency.ts'

/**
 * Number of conversations that are written concurrently, each at a random moment between two polls.
 */
const conversations = 40

/** Milliseconds allowed for reading and sending, after the wait for the poll. */
const allowedMs = 50

export async function benchRedisDown(ledger: Ledger): Promise<void> {
  await using opened = new AsyncDisposableStack()
  const redis = opened.use(await startRedis())
  const config = configWith({
    database: { url: await testDatabaseUrl() },
    cache: { url: `${redis.url}/0` },
  })
  const clock = createClock()
  const database = opened.use(await openConfigured(config))
  await database.migrate()
  const events = createEvents(() => {})
  const writing = opened.use(
    await createApp(config, { database: clock.on(database), events, effects: [clock.effect] }),
  )
  const other = opened.use(await createApp(config, { events }))
  const listening = other.listen({ host: '127.0.0.1', port: 0 })
  opened.defer(() => listening.stop(0))
  const { silentPollMs } = config.live

  const lines = await Promise.all(
    Array.from({ length: conversations }, async () => {
      const id = await newConversation(writing)
      const follower = await follow(`${listening.url}/v1/live?conversation=${id}`)
      opened.defer(() => follower.close())
      return { id, follower }
    }),
  )
  await redis.kill()
  await Bun.sleep(2 * silentPollMs)

  const write = async (app: App, { id, follower }: (typeof lines)[number], until: number) => {
    const took: number[] = []
    while (performance.now() < until) {
      await Bun.sleep(Math.random() * silentPollMs)
      const arrival = follower.next()
      await record(app, id)
      took.push((await arrival) - clock.committedAt(id))
    }
    return took
  }
  const run = async (forSeconds: number) => {
    const until = performance.now() + forSeconds * 1000
    const took = await Promise.all(lines.map((line) => write(writing, line, until)))
    return percentile(took.flat(), 0.99)
  }
  await run(1)
  const ours: Sample[] = []
  for (let n = 0; n < runs; n += 1) ours.push({ value: await run(seconds) })
  const allowed = { value: silentPollMs + allowedMs }
  ledger.put(
    'live-redis-down',
    ours,
    ours.map(() => allowed),
  )
}

function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.ceil(sorted.length * part) - 1] ?? Number.NaN
}
