/** The composition root: a configuration -> a service that answers requests. */
import {
  type OpenedKv,
  openDatabase,
  openKv,
  readDirectoryState,
  readSchemaState,
} from '../adapters/open.ts'
import { cacheEvents, databaseEvents } from './adapter-events.ts'
import { isOpen } from './auth.ts'
import type { Config } from './config.ts'
import {
  type AuditAsked,
  type AuditReport,
  createAudit,
  report,
} from './conversation/cache/audit.ts'
import { CacheEntries } from './conversation/cache/entries.ts'
import { createErasures } from './conversation/cache/erasures.ts'
import { KvCache } from './conversation/cache/kv-cache.ts'
import { OwnCache } from './conversation/cache/own-cache.ts'
import { cacheRule } from './conversation/cache/rule.ts'
import { Histories } from './conversation/histories.ts'
import { DatabaseReader } from './conversation/reading/database-reader.ts'
import { createVersions } from './conversation/reading/versions.ts'
import { createStore, type Store } from './conversation/store.ts'
import { createDecoder } from './conversation/wire/decode.ts'
import { localPrincipal } from './conversation/wire/principal.ts'
import type { Effect } from './conversation/writing/effects.ts'
import { createWriteHealth } from './conversation/writing/write-health.ts'
import { createEvents, type Events } from './events.ts'
import { type Listening, listen } from './http/listen.ts'
import { createServer } from './http/server.ts'
import { createLive } from './live/live.ts'
import { type Database, StartRefusal } from './ports/database.ts'

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
  /** Milliseconds between two probes of writes: a test has less patience. */
  readonly probes?: { readonly everyMs: number }
  /** Makes live delivery: a test makes it with a mistake in it. */
  readonly live?: typeof createLive
}

/** Ready to answer once it resolves. Disposing lets writes in flight end, then closes what it opened. */
export async function createApp(config: Config, overrides: AppOverrides = {}): Promise<App> {
  const events = overrides.events ?? createEvents()
  await using opened = new AsyncDisposableStack()
  const database = overrides.database ?? opened.use(await openConfigured(config, events))
  if (overrides.database !== undefined && config.database.migrateAtStart) await database.migrate()
  const kv = overrides.kv ?? (await openCache(config, events))
  if (overrides.kv === undefined) opened.defer(() => kv.kv.close())

  const reader = new DatabaseReader(database, config.limits)
  const caching = { events, ...config.cache }
  // Memory of this process needs no store between: a window is at hand there as it is.
  const isOwn = overrides.kv === undefined && /^memory:/.test(config.cache.url ?? 'memory:')
  const cache = opened.use(
    isOwn
      ? new OwnCache(caching)
      : new KvCache({ kv: kv.kv, isShared: kv.shared, probe: kv.probe, ...caching }),
  )
  const erasures = opened.use(createErasures({ database, cache, isShared: kv.shared, ...caching }))
  // Before the first request: what was erased while this node was not there is not shown by it.
  await erasures.refresh()
  const histories = new Histories({
    reader,
    cache,
    versions: createVersions(database),
    isErased: erasures.isListed,
    // Memory of this process knows the commits of this process, and there are no others.
    isCoherent: kv.shared || !database.shared,
    historyMessagesMax: config.limits.historyMessagesMax,
  })
  const decoder = createDecoder(config.limits)
  const live = opened.use(
    (overrides.live ?? createLive)({
      ...{ ...config.live, ...config.voice, ...config.limits },
      slowRequestMs: config.server.slowRequestMs,
      database,
      kv,
      reader,
      decoder,
      events,
      store: () => store,
    }),
  )
  // `/readyz` answers anybody: it shows no path of this machine.
  const cacheName = config.cache.url?.startsWith('module:') ? 'KV module' : kv.name
  const health = opened.use(createWriteHealth({ database, events, ...overrides.probes }))
  // Those who listen here first: the cache's news are for the other nodes.
  const afterCommit = [live, erasures, cache, health].map(({ effect }) => effect)
  const store: Store = opened.use(
    createStore({
      database,
      reader,
      effects: [...afterCommit, ...(overrides.effects ?? [])],
      health,
      events,
      writes: config.writes,
      voice: config.voice,
      metadataBytesMax: config.limits.metadataBytesMax,
      lockTimeoutMs: config.database.lockTimeoutMs,
      waitMs: config.database.deadlineMs,
    }),
  )
  let draining = false
  const router = createServer({
    store,
    reader,
    histories,
    decoder,
    events,
    limits: config.limits,
    live: { draining: () => draining },
    access: { ...config.server, isOpen: isOpen(config.auth) },
    log: { slowRequestMs: config.server.slowRequestMs, requests: config.log.requests },
    health: {
      databaseName: database.shared ? database.name : 'embedded Postgres',
      databaseState: health.state,
      cacheName,
      cacheState: () => (cache.takesWrites() ? (kv.ready() ? 'up' : 'down') : 'read-only'),
      draining: () => draining,
    },
  })
  // Compiled now, and not while the first request waits.
  router.compile()
  const closing = opened.move()
  return {
    databaseName: database.name,
    cacheName,
    fetch: async (request) => router.fetch(request),
    listen: (at) => listen(router, at, live),
    drain() {
      draining = true
    },
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  }
}

/** Brings the tables up to date; answers what was done. */
export async function migrateDatabase(config: Config, events: Events): Promise<string> {
  let migrated = false
  await using database = await open(config, events, () => {
    migrated = true
  })
  await database.migrate()
  return migrated
    ? `The tables of the ${database.name} were brought up to date.`
    : `The tables of the ${database.name} are up to date; there was nothing to do.`
}

/** What can be looked at without a start: nothing here waits, migrates or refuses. */
export type Inspection = {
  /** Opens the database: the server at `url`, or the embedded one without. The caller closes it. */
  open(url: string | undefined): Promise<Database>
  schema(database: Database): ReturnType<typeof readSchemaState>
  directory(): ReturnType<typeof readDirectoryState>
}

/** Connects within `connectTimeoutMs`, and gives a statement `deadlineMs`. */
export function inspect(
  config: Config,
  limits: { readonly connectTimeoutMs: number; readonly deadlineMs: number },
): Inspection {
  const { dataDirectory, connectionsMax: _, url: __, migrateUrl: ___, ...rest } = config.database
  const options = { ...rest, ...limits, connectionsMax: 1, directory: dataDirectory }
  return {
    open: (url) => openDatabase({ ...options, url }),
    schema: readSchemaState,
    directory: () => readDirectoryState(dataDirectory),
  }
}

/** A database that this release can run on. */
async function openConfigured(config: Config, events: Events): Promise<Database> {
  await using opened = new AsyncDisposableStack()
  const database = opened.use(await open(config, events))
  await (config.database.migrateAtStart ? database.migrate() : database.verify())
  opened.move()
  return database
}

function open({ database: settings }: Config, events: Events, onMigrated = () => {}) {
  const { dataDirectory, migrateAtStart: _, lockTimeoutMs: __, ...rest } = settings
  return openDatabase({
    ...rest,
    directory: dataDirectory,
    onEvent: databaseEvents(events, onMigrated),
  })
}

/** Without waiting for a server: it may be away now, and the service starts all the same. */
function openCache({ cache }: Config, events: Events): Promise<OpenedKv> {
  return openKv(cache.url, {
    deadlineMs: cacheCallMs,
    bytesMax: cache.memoryBytesMax,
    onEvent: cacheEvents(events),
  })
}

/** What a write to the cache may take; nobody waits for it. A read has `cache.deadlineMs`. */
const cacheCallMs = 250

/** Holds the cache against the database, the newest `limit` conversations or all. */
export async function auditCache(
  config: Config,
  events: Events,
  asked: AuditAsked,
): Promise<AuditReport> {
  await using opened = new AsyncDisposableStack()
  const kv = await openCache(config, events)
  opened.defer(() => kv.kv.close())
  if (!kv.shared)
    throw new StartRefusal(
      'The cache is in the memory of the service, where nobody else can look: set REDIS_URL to audit a Redis.',
    )
  const database = opened.use(await open(config, events))
  await database.verify()
  const ttlMs = config.cache.ttlSeconds * 1000
  const entries = new CacheEntries({ kv: kv.kv, rule: cacheRule, ttlMs })
  const audit = createAudit(entries, new DatabaseReader(database, config.limits), database)
  await connected(kv, config.database.connectTimeoutMs)
  return await report(audit, localPrincipal, asked)
}

async function connected({ name, ready }: OpenedKv, withinMs: number): Promise<void> {
  const until = performance.now() + withinMs
  while (!ready()) {
    if (performance.now() > until) throw new StartRefusal(`${name} cannot be reached.`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
