/**
 * Two nodes with one database and one cache. A test can wait until they have no write in progress.
 */
import type { Store } from '../../../src/conversation/store.ts'
import { createLive, type Live } from '../../../src/live/live.ts'
import { type Copy, LiveClient } from '../live/live.ts'
import { type TestApp, testApp } from '../servers/app.ts'
import { testDatabaseUrl } from '../servers/postgres.ts'
import { until } from '../servers/processes.ts'
import { startRedis } from '../servers/redis.ts'

export type VoiceNode = {
  readonly ask: TestApp['ask']
  /** The writes of sockets that are in progress, and the number of writes that were begun. */
  readonly calls: { inProgress: number; begun: number }
  connect(query?: string, copies?: Map<string, Copy>): Promise<LiveClient>
  /** Ends the connection of a client without closing it properly. */
  cut(client: LiveClient): void
  /** Whether the service has noticed every cut socket, and has no write in progress. */
  readonly isQuiet: boolean
}

export type VoiceNodes = AsyncDisposable & {
  readonly nodes: readonly VoiceNode[]
  /** Runs a statement on the database of the nodes. */
  query(text: string, params: readonly string[]): Promise<unknown>
}

export const seatsMax = 3

/** The times are so long that only a schedule makes seats and sessions lapse. */
const voice = { seatsMax, seatSeconds: 86_400, sessionGraceSeconds: 86_400, heldAudioMax: 1000 }

/** Resolves after all work that is due now, sockets included. */
export const soon = () => new Promise<void>((resolve) => setImmediate(resolve))

function counted(store: Store, calls: VoiceNode['calls']): Store {
  const counting =
    <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      calls.begun += 1
      calls.inProgress += 1
      try {
        return await call(...args)
      } finally {
        calls.inProgress -= 1
      }
    }
  const { voiceSessions: sessions } = store
  return {
    ...store,
    recordTurn: counting(store.recordTurn),
    attachTts: counting(store.attachTts),
    attachByKey: counting(store.attachByKey),
    openTurn: counting(store.openTurn),
    completeTurn: counting(store.completeTurn),
    interrupt: counting(store.interrupt),
    voiceSessions: {
      ...sessions,
      start: counting(sessions.start),
      end: counting(sessions.end),
    },
  }
}

async function openNode(url: string, cacheUrl: string) {
  const calls = { inProgress: 0, begun: 0 }
  const clients = new Set<LiveClient>()
  let live: Live | undefined
  const app = await testApp({
    overrides: {
      database: { url, deadlineMs: 30_000, lockTimeoutMs: 20_000 },
      cache: { url: cacheUrl },
      live: { pollMs: 100, silentPollMs: 50 },
      voice,
    },
    live(options) {
      live = createLive({ ...options, store: counted(options.store, calls) })
      return live
    },
  })
  const server = app.listen({ host: '127.0.0.1', port: 0 })
  const node: VoiceNode = {
    ask: app.ask,
    calls,
    async connect(query = '', copies = new Map()) {
      const client = new LiveClient(server, query, { copies })
      clients.add(client)
      await client.opened
      return client
    },
    cut(client) {
      // Frames that still arrive are ignored.
      client.socket.onmessage = null
      client.terminate()
      clients.delete(client)
    },
    get isQuiet() {
      return calls.inProgress === 0 && live?.size === clients.size
    },
  }
  return {
    node,
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.terminate()
      await server.stop(0)
      await app[Symbol.asyncDispose]()
    },
  }
}

export async function openNodes(): Promise<VoiceNodes> {
  await using opened = new AsyncDisposableStack()
  const redis = opened.use(await startRedis())
  const url = await testDatabaseUrl()
  const nodes: VoiceNode[] = []
  for (let n = 0; n < 2; n += 1) nodes.push(opened.use(await openNode(url, redis.url)).node)
  const sql = opened.adopt(new Bun.SQL(url), (sql) => sql.end())
  const all = opened.move()
  return {
    nodes,
    query: (text, params) => sql.unsafe(text, [...params]),
    [Symbol.asyncDispose]: () => all[Symbol.asyncDispose](),
  }
}

/** Waits until the writes of cut sockets are done, or can no longer begin. */
export async function quiet(nodes: readonly VoiceNode[]): Promise<void> {
  const isQuiet = () => nodes.every((node) => node.isQuiet)
  await until('no write is in progress', async () => {
    if (!isQuiet()) return false
    // Between two writes of one socket there is a moment without a write.
    await soon()
    await soon()
    return isQuiet()
  })
}
