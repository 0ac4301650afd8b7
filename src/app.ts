/** The composition root: a configuration -> a service that answers requests. */
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
  /** Where the database is, without secrets. */
  readonly databaseName: string
  /** Where the cache is, without secrets. */
  readonly cacheName: string
  /** Answers a request on any runtime with web standards, without a server. */
  fetch(request: Request): Promise<Response>
  /** Serves on a port; throws a `StartRefusal` where that cannot be had. */
  listen(at: { host: string; port: number }): Listening
  /** From now on `/readyz` says that the service is about to stop. */
  drain(): void
}

/** What to use instead of what the configuration would open. The caller closes it. */
export type AppOverrides = {
  readonly database?: Database
  readonly kv?: OpenedKv
  readonly events?: Events
  readonly effects?: readonly Effect[]
  /** Milliseconds between two probes of writes. */
  readonly probes?: { readonly everyMs: number }
  /** Makes live delivery. */
  readonly live?: typeof createLive
}

/** Ready to answer once it resolves. Disposing lets writes in flight end, then closes what it opened. */
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
  // Compiled now, and not while the first request waits.
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

/** Makes every part, each with the sections of the settings that it goes by; `opened` disposes of them. */
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
  // Before the first request: this node must not show what was erased while it was not there.
  await erasures.refresh()
  const histories = new Histories({
    reader,
    cache,
    versions: createVersions(database),
    isErased: erasures.isListed,
    // Memory of this process knows the commits of this process, and there are no others.
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
  // Disposed of before live delivery, so that sockets are sent the last commits.
  opened.use(store)
  // Sockets of this node hear first: what the cache publishes is for the other nodes.
  for (const { effect } of [live, erasures, cache, health]) effects.register(effect)
  for (const effect of overrides.effects ?? []) effects.register(effect)
  return { ...parts, cache, histories, writeHealth: health, store, live }
}

/** Memory of this process needs no KV between: it keeps windows as they are. */
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

/** What `/readyz` says of the dependencies. It answers anybody, so it shows no path of this machine. */
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
