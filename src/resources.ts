/** Opens the configured database and KV. Only this file imports the adapters. */
import {
  type OpenedKv,
  openDatabase as openAdapter,
  openKv,
  readDirectoryState,
  readSchema,
} from '../adapters/open.ts'
import { cacheEvents, databaseEvents } from './adapter-events.ts'
import type { Config } from './config.ts'
import type { Events } from './events.ts'
import type { Database } from './ports/database.ts'

export type { OpenedKv }

/**
 * Milliseconds that a write to the cache may take. No caller waits for it; a read has
 * `cache.deadlineMs`.
 */
const cacheCallMs = 250

/**
 * Opens the database without checking its tables: call `migrate` or `verify` before using it.
 * @param onMigrated called after a migration has changed the tables
 */
export function openDatabase(
  { database: settings }: Config,
  events: Events,
  onMigrated: (message: string) => void = () => {},
): ReturnType<typeof openAdapter> {
  const { dataDirectory, embedded: _, migrateAtStart: __, lockTimeoutMs: ___, ...rest } = settings
  return openAdapter({
    ...rest,
    directory: dataDirectory,
    onEvent: databaseEvents(events, onMigrated),
  })
}

/**
 * Opens the database and migrates its tables, or verifies them if `database.migrateAtStart` is
 * false.
 */
export async function openServiceDatabase(config: Config, events: Events): Promise<Database> {
  await using opened = new AsyncDisposableStack()
  const database = opened.use(await openDatabase(config, events))
  await (config.database.migrateAtStart ? database.migrate() : database.verify())
  opened.move()
  return database
}

/**
 * Opens the KV of the cache without waiting for its server: the service starts even if the server
 * is down.
 */
export function openCacheKv({ cache }: Config, events: Events): Promise<OpenedKv> {
  return openKv(cache.url, {
    deadlineMs: cacheCallMs,
    bytesMax: cache.memoryBytesMax,
    onEvent: cacheEvents(events),
  })
}

/**
 * Reads the state of the database without starting the service: nothing is awaited, migrated or
 * refused.
 */
export type Inspection = {
  /**
   * Opens the server at `url`, or the embedded database if `url` is undefined. The caller closes
   * it.
   */
  open(url: string | undefined): Promise<Database>
  schema(database: Database): ReturnType<typeof readSchema>
  directory(): ReturnType<typeof readDirectoryState>
}

/**
 * Makes an inspection that connects within `connectTimeoutMs` and gives each statement
 * `deadlineMs`.
 */
export function inspect(
  config: Config,
  limits: { readonly connectTimeoutMs: number; readonly deadlineMs: number },
): Inspection {
  const { dataDirectory, connectionsMax: _, url: __, migrateUrl: ___, ...rest } = config.database
  const options = { ...rest, ...limits, connectionsMax: 1, directory: dataDirectory }
  return {
    open: (url) => openAdapter({ ...options, url }),
    schema: readSchema,
    directory: () => readDirectoryState(dataDirectory),
  }
}
