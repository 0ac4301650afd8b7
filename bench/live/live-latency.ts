/**
 * The time from a commit until a subscriber has the change. This process runs everything: two nodes
 * of one Postgres and one Redis, their subscribers, and the plain Redis calls of the baseline.
 */
import { createClient } from 'redis'
import { openDatabase } from '../../adapters/open.ts'
import { type App, createApp } from '../../src/app.ts'
import { type Config, configWith } from '../../src/config.ts'
import { Reader } from '../../src/conversation/reading/reader.ts'
import { localPrincipal } from '../../src/conversation/wire/principal.ts'
import type { Effect } from '../../src/conversation/writing/effects.ts'
import { createEvents } from '../../src/events.ts'
import type { Database } from '../../src/ports/database.ts'
import { testDatabaseUrl } from '../../test/support/servers/postgres.ts'
import { startRedis } from '../../test/support/servers/redis.ts'
import { runs, seconds, turn } from '../load/scene.ts'
import { median, type Sample } from '../report/comparison.ts'
import type { Ledger } from '../report/ledger.ts'

/**
 * Milliseconds of one sample: the delivery of a commit, and the calls that its baseline adds up.
 */
type Waits = {
  readonly commit: number
  readonly publish: number
  readonly get: number
  readonly changes: number
}

export async function benchLatency(ledger: Ledger): Promise<void> {
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
  const raw = await byHand(redis.url)
  opened.defer(() => raw.close())
  const reader = new Reader(database, config.limits)

  for (const app of [writing, other]) {
    const isLocal = app === writing
    const listening = app.listen({ host: '127.0.0.1', port: 0 })
    const id = await newConversation(writing)
    const follower = await follow(`${listening.url}/v1/live?conversation=${id}`)
    const sample = async (): Promise<Waits> => {
      const publish = await timed(() => raw.publish())
      const get = await timed(() => raw.get())
      const { cursor: since } = await reader.head(localPrincipal, id)
      const arrival = follower.next()
      await record(writing, id)
      const commit = (await arrival) - clock.committedAt(id)
      const changes = await timed(() => reader.changes(localPrincipal, id, { since, limit: 200 }))
      return { commit, publish, get, changes }
    }
    const run = async (forSeconds: number) => {
      const samples: Waits[] = []
      const until = performance.now() + forSeconds * 1000
      while (performance.now() < until) samples.push(await sample())
      return (what: keyof Waits) => median(samples.map((each) => each[what]))
    }
    await run(1)
    const ours: Sample[] = []
    const baseline: Sample[] = []
    for (let n = 0; n < runs; n += 1) {
      const of = await run(seconds)
      const hops = isLocal ? 0 : 3 * of('get') + of('changes')
      ours.push({ value: of('commit') })
      baseline.push({ value: of('publish') + hops })
    }
    ledger.put(isLocal ? 'live-here' : 'live-elsewhere', ours, baseline)
    follower.close()
    await listening.stop(0)
  }
}

/** Notes when the database answers a commit. Delivery starts later, so its whole cost counts. */
export function createClock() {
  let answeredAt = Number.NaN
  const committedAt = new Map<string, number>()
  const effect: Effect = {
    name: 'bench',
    // Runs right after the database's answer: no other query is made in between.
    committed({ conversationId }) {
      committedAt.set(conversationId, answeredAt)
    },
  }
  return {
    effect,
    committedAt: (id: string) => committedAt.get(id) ?? Number.NaN,
    on: (database: Database): Database => ({
      name: database.name,
      shared: database.shared,
      async query<Row extends object>(...call: Parameters<Database['query']>) {
        const rows = await database.query<Row>(...call)
        answeredAt = performance.now()
        return rows
      },
      migrate: () => database.migrate(),
      [Symbol.asyncDispose]: async () => {},
    }),
  }
}

export function openConfigured({ database: settings }: Config) {
  const { dataDirectory, migrateAtStart: _, lockTimeoutMs: __, ...rest } = settings
  return openDatabase({ ...rest, directory: dataDirectory, onEvent: () => {} })
}

/** Redis as an app uses it through node-redis: one connection for commands, one for messages. */
async function byHand(url: string) {
  const client = createClient({ url })
  const listener = createClient({ url })
  for (const each of [client, listener]) {
    each.on('error', () => {})
    await each.connect()
  }
  let onPing = () => {}
  await listener.subscribe('bench', () => onPing())
  await client.set('bench', 'there')
  return {
    async publish() {
      const { promise, resolve } = Promise.withResolvers<void>()
      onPing = resolve
      const sent = client.publish('bench', '12')
      await promise
      // The message arrived; the answer to PUBLISH, on the other connection, is not waited for.
      void sent
    },
    get: () => client.get('bench'),
    close() {
      client.destroy()
      listener.destroy()
    },
  }
}

async function timed(act: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await act()
  return performance.now() - began
}

/** Follows a conversation. `next()` resolves with the time at which the next change arrives. */
export async function follow(url: string) {
  const socket = new WebSocket(url.replace('http', 'ws'))
  const live = Promise.withResolvers<void>()
  let arrived = (_at: number) => {}
  socket.onmessage = ({ data }) => {
    const now = performance.now()
    const { t } = JSON.parse(String(data)) as { t: string }
    if (t === 'change') arrived(now)
    if (t === 'live') live.resolve()
  }
  socket.onclose = ({ code }) => live.reject(new Error(`closed with ${code}`))
  await live.promise
  return {
    next() {
      const { promise, resolve } = Promise.withResolvers<number>()
      arrived = resolve
      return promise
    },
    close: () => socket.close(),
  }
}

export async function newConversation(app: App): Promise<string> {
  const { id } = (await post(app, '/v1/conversations', {})) as { id: string }
  return id
}

export const record = (app: App, id: string) => post(app, `/v1/conversations/${id}/turns`, turn)

async function post(app: App, path: string, body: unknown): Promise<unknown> {
  const response = await app.fetch(
    new Request(`http://turnlog.bench${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }),
  )
  if (!response.ok) throw new Error(await response.text())
  return response.json()
}
