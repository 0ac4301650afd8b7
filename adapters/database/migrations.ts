/**
 * The conditions that a database must meet before this release runs on it, the same for every
 * adapter.
 */
import { fileURLToPath } from 'node:url'
import { StartRefusal } from '../../src/ports/database.ts'
import { adopt, exportAdvice } from './adoption.ts'
import { type Ask, askOne } from './ask.ts'
import { readCatalogFile, readDifferences } from './catalog.ts'
import {
  foreignText,
  type MigrationState,
  type Obstacle,
  obstacleTo,
  type Recorded,
  readMigrations,
  readRecorded,
  stateOf,
} from './migration-state.ts'
import type { OnDatabaseEvent } from './startable.ts'

/** The number of this code. It is raised with every migration that older code cannot work with. */
export const codeVersion = 2

/** The folder `drizzle` of this release. */
export const defaultMigrationsFolder = fileURLToPath(new URL('../../drizzle', import.meta.url))

/**
 * Throws a `StartRefusal` for a Postgres older than 14, for an encoding other than UTF8, for a
 * default isolation level other than read committed, and for a server that may lose confirmed
 * writes, unless `allowUnsafe` is set.
 */
export async function verifyServer(
  ask: Ask,
  options: { serverName: string; allowUnsafe: boolean; onEvent: OnDatabaseEvent },
): Promise<void> {
  const { serverName, allowUnsafe, onEvent } = options
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
      `${serverName} has version ${String(settings.release)}, and Turnlog needs 14 or later: upgrade the server.`,
    )
  }
  if (settings.encoding !== 'UTF8') {
    throw new StartRefusal(
      `${serverName} has the encoding ${String(settings.encoding)}, which cannot hold every text: create the database with the encoding UTF8.`,
    )
  }
  if (settings.isolation !== 'read committed') {
    throw new StartRefusal(
      `${serverName} has default_transaction_isolation ${String(settings.isolation)}, and the writes need read committed: set that for the server, the database or the user.`,
    )
  }
  const off = ['fsync', 'full_page_writes'].filter((name) => settings[name] === true)
  if (off.length === 0) return
  const finding = `${serverName} runs with ${off.join(' and ')} off and can lose turns that it has confirmed`
  if (!allowUnsafe) {
    throw new StartRefusal(
      `${finding}: turn ${off.length === 1 ? 'it' : 'them'} on in postgresql.conf, or accept the loss with database.allowUnsafe.`,
    )
  }
  onEvent({ type: 'unsafe', message: `${finding}, which database.allowUnsafe permits.` })
}

/**
 * Throws a `StartRefusal` if a newer release has migrated the database so that this code cannot use
 * it.
 */
export async function verifyCode(ask: Ask, serverName: string): Promise<void> {
  const { exists } = await askOne(
    ask,
    `select to_regclass('turnlog_migrations') is not null as exists`,
  )
  if (exists !== true) return
  const { oldest } = await askOne(ask, 'select max(oldest_code) as oldest from turnlog_migrations')
  if (typeof oldest === 'number' && oldest > codeVersion) {
    throw new StartRefusal(
      `A newer Turnlog has migrated ${serverName}, and this release no longer works with it: run the newer release.`,
    )
  }
}

/** How the tables and functions compare with those that this release's migrations make. */
export type SchemaReport = {
  /** `newer`: a newer release has changed them so that this release no longer works with them. */
  readonly state: MigrationState | 'newer'
  /**
   * The differences, one phrase for each object. Undefined if they would mean nothing, because
   * migrations are missing or a newer release has run its own.
   */
  readonly drift?: readonly string[]
  /**
   * Why a start would not run the missing migrations, or refuses the database; undefined if
   * neither.
   */
  readonly obstacle?: Obstacle
}

/** Compares the schema of a database with the migrations in `folder`. Changes nothing. */
export async function schemaReport(ask: Ask, folder: string): Promise<SchemaReport> {
  try {
    await verifyCode(ask, '')
  } catch (thrown) {
    if (thrown instanceof StartRefusal) return { state: 'newer' }
    throw thrown
  }
  const migrations = readMigrations(folder)
  const recorded = await readRecorded(ask)
  const state = stateOf(recorded, migrations)
  const obstacle =
    state === 'behind'
      ? obstacleTo(recorded, migrations)
      : state === 'foreign'
        ? { finding: `it ${foreignFinding(recorded)}`, advice: capitalized(exportAdvice) }
        : undefined
  if (obstacle !== undefined) return { state, obstacle }
  const last = migrations.at(-1)
  if (state !== 'current' || last === undefined || recorded.ids.some((id) => id > last.id))
    return { state }
  return { state, drift: await readDifferences(ask, readCatalogFile(folder, last.tag)) }
}

/** Whether every migration in the folder has run, according to the ids in `turnlog_migrations`. */
export const isMigrated = async (ask: Ask, folder: string): Promise<boolean> =>
  stateOf(await readRecorded(ask), readMigrations(folder)) === 'current'

/** Throws a `StartRefusal` unless every migration in the folder has run. */
export async function verifySchema(ask: Ask, serverName: string, folder: string): Promise<void> {
  const migrations = readMigrations(folder)
  const recorded = await readRecorded(ask)
  const state = stateOf(recorded, migrations)
  if (state === 'current') return
  if (state === 'foreign') throw foreign(serverName, recorded)
  if (state === 'behind') refuseObstacle(serverName, obstacleTo(recorded, migrations))
  throw new StartRefusal(
    `The schema of ${serverName} is missing or out of date: run \`turnlog migrate\`.`,
  )
}

/**
 * Runs the missing migrations. The caller makes sure that no other node does it at the same time.
 * @param options `run` is drizzle's migrator. `schema` names the schema in the returned sentence.
 * @returns A sentence for the log; undefined if no migration was missing.
 * @throws StartRefusal The database cannot be migrated.
 */
export async function runMigrations(
  ask: Ask,
  options: { serverName: string; schema: string; folder: string; run: () => Promise<void> },
): Promise<string | undefined> {
  const { serverName, schema, folder, run } = options
  const migrations = readMigrations(folder)
  const recorded = await readRecorded(ask)
  const state = stateOf(recorded, migrations)
  if (state === 'current') return undefined
  if (state === 'foreign') throw foreign(serverName, recorded)
  if (state === 'old') await adopt(ask, { serverName, folder, migrations })
  const now = state === 'old' ? await readRecorded(ask) : recorded
  refuseObstacle(serverName, obstacleTo(now, migrations))
  await run()
  return state === 'old'
    ? `${schema} was adopted: its seven migrations became two`
    : `${schema} was brought up to date`
}

function refuseObstacle(serverName: string, obstacle: Obstacle | undefined): void {
  if (obstacle === undefined) return
  throw new StartRefusal(`${serverName} is not migrated: ${obstacle.finding}. ${obstacle.advice}.`)
}

const foreign = (serverName: string, recorded: Recorded) =>
  new StartRefusal(`${serverName} ${foreignFinding(recorded)}: ${exportAdvice}.`)

const foreignFinding = (recorded: Recorded) =>
  `was not migrated by this release, nor by all commits before the first one (${foreignText(recorded)})`

const capitalized = (text: string) => `${text.charAt(0).toUpperCase()}${text.slice(1)}`
