/** The one registry of what the service is put on: a URL's scheme -> an adapter, loaded on demand. */
import { type Database, StartRefusal } from '../src/ports/database.ts'
import type { DirectoryState } from './database/directory-state.ts'
import type { SchemaState } from './database/migrations.ts'
import type { OnDatabaseEvent, StartableDatabase } from './database/startable.ts'

export type DatabaseOptions = {
  /** A Postgres server; without it, Postgres inside this process on `directory`. */
  readonly url?: string | undefined
  /** For migrations, where `url` goes through a pooler without sessions. */
  readonly migrateUrl?: string | undefined
  readonly directory: string
  readonly connectionsMax: number
  readonly prepare: boolean
  readonly deadlineMs: number
  readonly connectTimeoutMs: number
  readonly startWaitSeconds: number
  readonly allowUnsafe: boolean
  readonly migrationsFolder?: string
  readonly onEvent?: OnDatabaseEvent
}

/** Opens, without looking at what is there: call `migrate` or `verify` before using it. */
export async function openDatabase(options: DatabaseOptions): Promise<StartableDatabase> {
  const { url, migrateUrl, directory, ...rest } = options
  if (url === undefined) {
    const { openPglite } = await import('./database/pglite.ts')
    return await openPglite({ directory, ...rest })
  }
  if (/^postgres(ql)?:/.test(url)) {
    const { openPostgres } = await import('./database/postgres.ts')
    return openPostgres({ url, ...(migrateUrl === undefined ? {} : { migrateUrl }), ...rest })
  }
  // The scheme alone: the rest may hold a password.
  const scheme = /^[a-z][a-z0-9+.-]*:/i.exec(url)?.[0] ?? 'no scheme'
  throw new StartRefusal(
    `The database URL has ${scheme}, and only postgres: and postgresql: can be opened: correct DATABASE_URL.`,
  )
}

/** How the tables stand beside those this release brings. */
export async function readSchemaState(database: Database): Promise<SchemaState> {
  const { defaultMigrationsFolder, schemaState } = await import('./database/migrations.ts')
  return await schemaState(
    (text) => database.query<object>({ text, params: [] }),
    defaultMigrationsFolder,
  )
}

/** What is in the directory of an embedded database, which stays closed. */
export async function readDirectoryState(directory: string): Promise<DirectoryState> {
  const { directoryState } = await import('./database/directory-state.ts')
  return directoryState(directory)
}
