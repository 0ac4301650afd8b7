/** The composition root: it makes a service that answers requests from a configuration. */
import { isOpen } from './auth.ts'
import type { Config } from './config.ts'
import type { Cache } from './conversation/cache/cache.ts'
import { createErasures } from './conversation/cache/erasures.ts'
import { KvCache } from './conversation/cache/kv-cache.ts'
import { OwnCache } from './conversation/cache/own-cache.ts'
import { Histories } from './conversation/histories.ts'
import { Reader } from './conversation/reading/reader.ts'
import { createVersions } from './conversation/reading/versions.ts'
import { createStore } from './conversation/store.ts'
import { Decoder } from './conversation/wire/decode.ts'
import { type Effect, Effects } from './conversation/writing/effects.ts'
import { WriteHealth } from './conversation/writing/write-health.ts'
import { createEvents, type Events } from './events.ts'
import { type Listening, listen } from './http/listen.ts'
import { createServer } from './http/server.ts'
import type { Health } from './http/services.ts'
import { createLive } from './live/live.ts'
import type { Database } from './ports/database.ts'
import { type OpenedKv, openCacheKv, openServiceDatabase } from './resources.ts'

export type App = AsyncDisposable & {
  /** The address of the database, without secrets. */
  readonly databaseName: string
  /** The address of the cache, without secrets. */
  readonly cacheName: string
  /** Answers a request on any runtime with web standards, without a server. */
  fetch(request: Request): Promise<Response>
  /** Listens on a host and port. Throws a `StartRefusal` if it cannot. */
  listen(at: { host: string; port: number }): Listening
  /** Makes `/readyz` answer 503 with the status `draining`. Requests are still answered. */
  drain(): void
}

/** Parts that replace those that the configuration would open. The caller closes them. */
export type AppOverrides = {
  readonly database?: Database
  readonly kv?: OpenedKv
  readonly events?: Events
  readonly effects?: readonly Effect[]
  /** Milliseconds between two probes of writes. */
  readonly probes?: { readonly everyMs: number }
  /** Makes live delivery. @default createLive */
  readonly live?: typeof createLive
}

/**
 * Opens the database and the cache and makes the app, which can answer requests once the promise
 * resolves. Disposing of the app waits for writes in flight, then closes everything opened here.
 */
export async function createApp(config: Config, overrides: AppOverrides = {}): Promise<App> {
  await using opened = new AsyncDisposableStack()
  const parts = await createParts(config, overrides, opened)
  let isDraining = false
  const draining = () => isDraining
  const health = { ...healthOf(config, parts), draining }
  const router = createServer({
    ...parts,
    limits: config.limits,
    live: { draining },
    access: { ...config.server, isOpen: isOpen(config.auth) },
    log: { slowRequestMs: config.server.slowRequestMs, requests: config.log.requests },
    health,
  })
  // Compile the routes now: otherwise the first request would wait for it.
  router.compile()
  const closing = opened.move()
  return {
    databaseName: parts.database.name,
    cacheName: health.cacheName,
    fetch: async (request) => router.fetch(request),
    listen: (at) => listen(router, at, parts.live),
    drain() {
      isDraining = true
    },
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  }
}

type Parts = Awaited<ReturnType<typeof createParts>>

/**
 * Makes every part and gives it the sections of the settings that it needs. They are disposed of
 * with `opened`.
 */
async function createParts(config: Config, overrides: AppOverrides, opened: AsyncDisposableStack) {
  const { limits, voice, writes } = config
  const events = overrides.events ?? createEvents()
  const database = overrides.database ?? opened.use(await openServiceDatabase(config, events))
  if (overrides.database !== undefined && config.database.migrateAtStart) await database.migrate()
  const kv =
    overrides.kv ?? opened.adopt(await openCacheKv(config, events), (own) => own.kv.close())
  const effects = new Effects(events)
  const decoder = new Decoder(limits)
  const reader = new Reader(database, limits)
  const isOwnKv = overrides.kv === undefined
  const cache = opened.use(createCacheOn(kv, isOwnKv, config.cache, events))
  const caching = { ...config.cache, database, cache, isShared: kv.shared, events }
  const erasures = opened.use(createErasures(caching))
  // Read the erasures before the first request: this node must not show a conversation that was
  // erased while the node was down.
  await erasures.refresh()
  const histories = new Histories({
    reader,
    cache,
    versions: createVersions(database),
    isErased: erasures.isListed,
    // A cache in this process's memory is coherent only if no other process writes to the database.
    isCoherent: kv.shared || !database.shared,
    historyMessagesMax: limits.historyMessagesMax,
  })
  const health = opened.use(new WriteHealth({ database, events, ...overrides.probes }))
  const parts = { database, kv, reader, decoder, events }
  const timeouts = config.database
  const store = createStore({ ...parts, effects, health, writes, voice, limits, timeouts })
  const { live: delivery, server } = config
  const live = opened.use(
    (overrides.live ?? createLive)({ ...parts, store, delivery, voice, limits, server }),
  )
  // The store is disposed of before live delivery, so that sockets still receive the last commits.
  opened.use(store)
  // Live delivery comes first: sockets of this node get a commit before the cache publishes it to
  // others.
  for (const { effect } of [live, erasures, cache, health]) effects.register(effect)
  for (const effect of overrides.effects ?? []) effects.register(effect)
  return { ...parts, cache, histories, writeHealth: health, store, live }
}

/**
 * Makes the cache. In the memory of this process it keeps windows as objects, without a KV in
 * between.
 */
function createCacheOn(
  kv: OpenedKv,
  isOwnKv: boolean,
  settings: Config['cache'],
  events: Events,
): Cache {
  if (isOwnKv && /^memory:/.test(settings.url ?? 'memory:'))
    return new OwnCache({ events, ...settings })
  return new KvCache({ kv: kv.kv, isShared: kv.shared, probe: kv.probe, events, ...settings })
}

/**
 * The state of the dependencies for `/readyz`. Any caller may read it, so it contains no path of
 * this machine.
 */
function healthOf(
  config: Config,
  { database, kv, cache, writeHealth }: Parts,
): Omit<Health, 'draining'> {
  return {
    databaseName: database.shared ? database.name : 'embedded Postgres',
    databaseState: () => writeHealth.state(),
    cacheName: config.cache.url?.startsWith('module:') ? 'KV module' : kv.name,
    cacheState: () => (cache.acceptsWrites() ? (kv.ready() ? 'up' : 'down') : 'read-only'),
  }
}
