/** Opens what the service stands on as it is configured. Nothing else imports the adapters. */
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

/** How long a write to the cache may take; no caller waits for it. A read has `cache.deadlineMs`. */
const cacheCallMs = 250

/** Opens the database without looking at what is there: call `migrate` or `verify` before using it. */
export function openDatabase(
  { database: settings }: Config,
  events: Events,
  onMigrated: (message: string) => void = () => {},
): ReturnType<typeof openAdapter> {
  const { dataDirectory, migrateAtStart: _, lockTimeoutMs: __, ...rest } = settings
  return openAdapter({
    ...rest,
    directory: dataDirectory,
    onEvent: databaseEvents(events, onMigrated),
  })
}

/** Opens a database that this release can run on: migrated or verified, as `database.migrateAtStart` says. */
export async function openServiceDatabase(config: Config, events: Events): Promise<Database> {
  await using opened = new AsyncDisposableStack()
  const database = opened.use(await openDatabase(config, events))
  await (config.database.migrateAtStart ? database.migrate() : database.verify())
  opened.move()
  return database
}

/** Opens the KV of the cache, without waiting for a server: the service starts although it is away. */
export function openCacheKv({ cache }: Config, events: Events): Promise<OpenedKv> {
  return openKv(cache.url, {
    deadlineMs: cacheCallMs,
    bytesMax: cache.memoryBytesMax,
    onEvent: cacheEvents(events),
  })
}

/** What can be looked at without a start: nothing here waits, migrates or refuses. */
export type Inspection = {
  /** Opens the database: the server at `url`, or the embedded one without. The caller closes it. */
  open(url: string | undefined): Promise<Database>
  schema(database: Database): ReturnType<typeof readSchema>
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
    open: (url) => openAdapter({ ...options, url }),
    schema: readSchema,
    directory: () => readDirectoryState(dataDirectory),
  }
}
