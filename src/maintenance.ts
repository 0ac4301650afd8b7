/** Commands of the operator that run without the service: migrations, and an audit of the cache. */
import type { Config } from './config.ts'
import {
  type AuditOptions,
  type AuditReport,
  createAudit,
  report,
} from './conversation/cache/audit.ts'
import { CacheEntries } from './conversation/cache/entries.ts'
import { cacheRule } from './conversation/cache/rule.ts'
import { Reader } from './conversation/reading/reader.ts'
import { localPrincipal } from './conversation/wire/principal.ts'
import type { Events } from './events.ts'
import { StartRefusal } from './ports/database.ts'
import { type OpenedKv, openCacheKv, openDatabase } from './resources.ts'

/** Brings the tables up to date, and returns one sentence that reports the result. */
export async function migrateDatabase(config: Config, events: Events): Promise<string> {
  let done: string | undefined
  await using database = await openDatabase(config, events, (message) => {
    done = message
  })
  await database.migrate()
  return done === undefined
    ? `The schema of ${database.name} is up to date; there was nothing to do.`
    : `${done}.`
}

/**
 * Compares the cache with the database: the newest `limit` conversations, or all. Fails with a
 * `StartRefusal` if the cache is in the memory of the service, or cannot be reached.
 */
export async function auditCache(
  config: Config,
  events: Events,
  options: AuditOptions,
): Promise<AuditReport> {
  await using opened = new AsyncDisposableStack()
  const kv = await openCacheKv(config, events)
  opened.defer(() => kv.kv.close())
  if (!kv.shared)
    throw new StartRefusal(
      'The cache is in the memory of the service, which no other process can read: set REDIS_URL to audit a Redis.',
    )
  const database = opened.use(await openDatabase(config, events))
  await database.verify()
  const ttlMs = config.cache.ttlSeconds * 1000
  const entries = new CacheEntries({ kv: kv.kv, rule: cacheRule, ttlMs })
  const audit = createAudit(entries, new Reader(database, config.limits), database)
  await connected(kv, config.database.connectTimeoutMs)
  return await report(audit, localPrincipal, options)
}

/** Waits until the KV is connected. Fails with a `StartRefusal` after `withinMs`. */
async function connected({ name, ready }: OpenedKv, withinMs: number): Promise<void> {
  const deadlineAt = performance.now() + withinMs
  while (!ready()) {
    if (performance.now() > deadlineAt) throw new StartRefusal(`${name} cannot be reached.`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
