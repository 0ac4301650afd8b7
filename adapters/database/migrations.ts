/** What must hold of a database before this release runs on it: the same rules for every adapter. */
import { fileURLToPath } from 'node:url'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import { StartRefusal } from '../../src/ports/database.ts'
import type { OnDatabaseEvent } from './startable.ts'

/** Raised with every migration that older code cannot live with. */
export const codeVersion = 2

export const defaultMigrationsFolder = fileURLToPath(new URL('../../drizzle', import.meta.url))

/** Runs one parameterless query; rows as the port says. */
export type Ask = (text: string) => Promise<object[]>

/** Refuses Postgres below 14, another encoding or isolation level, and one that may lose what it confirmed. */
export async function verifyServer(
  ask: Ask,
  options: { place: string; allowUnsafe: boolean; onEvent: OnDatabaseEvent },
): Promise<void> {
  const { place, allowUnsafe, onEvent } = options
  const settings = await askOne(
    ask,
    `select current_setting('server_version') as release,
      current_setting('server_version_num')::int < 140000 as old,
      current_setting('default_transaction_isolation') as isolation,
      current_setting('server_encoding') as encoding,
      current_setting('fsync') = 'off' as fsync,
      current_setting('full_page_writes') = 'off' as full_page_writes`,
  )
  if (settings.old === true) {
    throw new StartRefusal(
      `${place} is version ${String(settings.release)}, and Turnlog needs 14 or later: upgrade the server.`,
    )
  }
  if (settings.encoding !== 'UTF8') {
    throw new StartRefusal(
      `${place} has the encoding ${String(settings.encoding)}, which cannot hold every text: create the database with the encoding UTF8.`,
    )
  }
  if (settings.isolation !== 'read committed') {
    throw new StartRefusal(
      `${place} has default_transaction_isolation ${String(settings.isolation)}, and the writes rely on read committed: set that for the server, the database or the user.`,
    )
  }
  const off = ['fsync', 'full_page_writes'].filter((name) => settings[name] === true)
  if (off.length === 0) return
  const what = `${place} runs with ${off.join(' and ')} off and can lose turns it has confirmed`
  if (!allowUnsafe) {
    throw new StartRefusal(
      `${what}: turn ${off.length === 1 ? 'it' : 'them'} on in postgresql.conf, or accept the loss with database.allowUnsafe.`,
    )
  }
  onEvent({ type: 'unsafe', message: `${what}, as database.allowUnsafe lets it.` })
}

/** Refuses a database that a newer release has migrated beyond what this code can live with. */
export async function verifyCode(ask: Ask, place: string): Promise<void> {
  const { known } = await askOne(
    ask,
    `select to_regclass('turnlog_migrations') is not null as known`,
  )
  if (known !== true) return
  const { oldest } = await askOne(ask, 'select max(oldest_code) as oldest from turnlog_migrations')
  if (typeof oldest === 'number' && oldest > codeVersion) {
    throw new StartRefusal(
      `A newer Turnlog has migrated ${place}, and this release no longer works with it: run the newer release.`,
    )
  }
}

/** Whether every migration in the folder has run. */
export async function isMigrated(ask: Ask, folder: string): Promise<boolean> {
  const { known } = await askOne(
    ask,
    `select to_regclass('drizzle.__drizzle_migrations') is not null as known`,
  )
  const wanted = Math.max(
    ...readMigrationFiles({ migrationsFolder: folder }).map((each) => each.folderMillis),
  )
  if (known !== true) return false
  const { last } = await askOne(
    ask,
    'select max(created_at)::int8 as last from drizzle.__drizzle_migrations',
  )
  return typeof last === 'number' && last >= wanted
}

/** The tables as this release finds them: `newer` is beyond what it can live with. */
export type SchemaState = 'missing' | 'behind' | 'current' | 'newer'

/** What `verifyCode` and `verifySchema` judge by, in one word. */
export async function schemaState(ask: Ask, folder: string): Promise<SchemaState> {
  const { known } = await askOne(
    ask,
    `select to_regclass('turnlog_migrations') is not null as known`,
  )
  if (known !== true) return 'missing'
  try {
    await verifyCode(ask, '')
  } catch (thrown) {
    if (thrown instanceof StartRefusal) return 'newer'
    throw thrown
  }
  return (await isMigrated(ask, folder)) ? 'current' : 'behind'
}

/** Refuses a database whose schema is missing or behind. */
export async function verifySchema(ask: Ask, place: string, folder: string): Promise<void> {
  if (await isMigrated(ask, folder)) return
  throw new StartRefusal(
    `The schema of ${place} is missing or out of date: run \`turnlog migrate\`.`,
  )
}

async function askOne(ask: Ask, text: string): Promise<Record<string, unknown>> {
  const [row] = await ask(text)
  return { ...row }
}
