/**
 * The migrations of a folder, the migrations that a database has recorded, and how the two compare.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import { type Ask, askOne } from './ask.ts'

/** A migration of the folder. */
export type Migration = {
  /** The number in the journal and in `turnlog_migrations`. No other migration ever gets it. */
  readonly id: number
  /** The name of the file, without `.sql`. */
  readonly tag: string
  /** Milliseconds since 1970. drizzle's migrator orders and records migrations by it. */
  readonly when: number
  /** The hash that drizzle's migrator records. */
  readonly hash: string
  readonly statements: readonly string[]
}

/** Reads the migrations of a folder, in the order of its journal. */
export function readMigrations(folder: string): Migration[] {
  const journal: { entries: { idx: number; tag: string }[] } = JSON.parse(
    readFileSync(join(folder, 'meta/_journal.json'), 'utf8'),
  )
  const files = readMigrationFiles({ migrationsFolder: folder })
  return journal.entries.flatMap(({ idx, tag }, index) => {
    const file = files[index]
    if (file === undefined) return []
    return [{ id: idx, tag, when: file.folderMillis, hash: file.hash, statements: file.sql }]
  })
}

/**
 * The statement of a migration that records it in `turnlog_migrations`; undefined if it has none.
 */
export function recordOf({ id, statements }: Migration): string | undefined {
  const record = new RegExp(
    `^\\s*INSERT INTO turnlog_migrations \\(id, name, oldest_code\\) VALUES \\(${id}, '\\w+', \\d+\\);\\s*$`,
  )
  return statements.find((statement) => record.test(statement))
}

/** The migrations that a database has recorded as run. */
export type Recorded = {
  /** Whether the table `turnlog_migrations` exists. */
  readonly hasTable: boolean
  /** The ids in `turnlog_migrations`. This release decides by them. */
  readonly ids: readonly number[]
  /**
   * The times in `drizzle.__drizzle_migrations`. drizzle's migrator decides by them: it runs the
   * migrations that are later than the last of these.
   */
  readonly times: readonly number[]
}

/** Reads the migrations that a database has recorded. */
export async function readRecorded(ask: Ask): Promise<Recorded> {
  const tables = await askOne(
    ask,
    `select to_regclass('turnlog_migrations') is not null as ids,
      to_regclass('drizzle.__drizzle_migrations') is not null as times`,
  )
  const list = async (text: string) =>
    (await ask(text)).flatMap((row) => ('n' in row && typeof row.n === 'number' ? [row.n] : []))
  return {
    hasTable: tables.ids === true,
    ids:
      tables.ids === true ? await list('select id as n from turnlog_migrations order by id') : [],
    times:
      tables.times === true
        ? await list('select created_at::int8 as n from drizzle.__drizzle_migrations order by 1')
        : [],
  }
}

/**
 * The record of a database that the seven migrations before the first release made. The
 * migrations with the numbers 4 to 6 did not write their ids to `turnlog_migrations`. The first two
 * migrations of today make the same tables and functions.
 */
const old = {
  ids: [0, 1, 2, 3],
  times: [
    1795456360269, 1795456360646, 1795469680684, 1795478479312, 1795490000000, 1795777819875,
    1795787819875,
  ],
}

/**
 * The state of a database's schema:
 * - `missing`: it has no tables.
 * - `old`: exactly the seven migrations before the first release have run. It can be adopted.
 * - `foreign`: migrations have run that are neither of this release nor all of those seven.
 * - `behind`: migrations of this release are missing.
 * - `current`: all migrations of this release have run, and perhaps some of a newer release.
 */
export type MigrationState = 'missing' | 'old' | 'foreign' | 'behind' | 'current'

/** Compares the migrations that a database has recorded with those of the folder. */
export function stateOf(recorded: Recorded, migrations: readonly Migration[]): MigrationState {
  const { hasTable, ids, times } = recorded
  if (!hasTable) return 'missing'
  if (isSame(ids, old.ids) && isSame(times, old.times)) return 'old'
  if (!ids.includes(migrations[0]?.id ?? 0) && !hasRunSome(recorded, migrations)) return 'foreign'
  return migrations.every(({ id }) => ids.includes(id)) ? 'current' : 'behind'
}

/**
 * Whether drizzle's table has a migration of this release, and `turnlog_migrations` has only ids of
 * this release or of the seven old migrations.
 */
function hasRunSome({ ids, times }: Recorded, migrations: readonly Migration[]): boolean {
  const first = migrations[0]?.id ?? 0
  return (
    migrations.some(({ when }) => times.includes(when)) &&
    ids.every((id) => id >= first || old.ids.includes(id))
  )
}

/** Says how a `foreign` database differs from one that could be adopted. */
export function foreignText({ ids, times }: Recorded): string {
  const missing = [...without(old.ids, ids), ...without(old.times, times)]
  const unknown = [...without(ids, old.ids), ...without(times, old.times)]
  return [
    ...(missing.length === 0 ? [] : [`missing: ${missing.join(', ')}`]),
    ...(unknown.length === 0 ? [] : [`unknown: ${unknown.join(', ')}`]),
  ].join('; ')
}

const isSame = (a: readonly number[], b: readonly number[]) => a.join() === b.join()

const without = (all: readonly number[], some: readonly number[]) =>
  all.filter((each) => !some.includes(each))

/** Why a database cannot be migrated, and what to do: one sentence each, without the full stop. */
export type Obstacle = { readonly finding: string; readonly advice: string }

/**
 * Why drizzle's migrator would not run exactly the missing migrations; undefined if it would. The
 * migrator runs the migrations that are later than the last one that ran, and skips earlier ones
 * without a message.
 */
export function obstacleTo(
  { ids, times }: Recorded,
  migrations: readonly Migration[],
): Obstacle | undefined {
  const last = Math.max(...times)
  for (const migration of migrations) {
    const { id, tag, when, hash } = migration
    const isMissing = !ids.includes(id)
    const record = recordOf(migration)?.trim().replace(/;$/, '')
    if (isMissing && times.includes(when))
      return {
        finding: `${tag} has run according to drizzle.__drizzle_migrations, and its row in turnlog_migrations is missing`,
        advice: `Insert that row again: ${record ?? `(id, name, oldest_code), with the id ${id}`}`,
      }
    if (isMissing && when <= last)
      return {
        finding: `${tag} has not run, and would be skipped: its \`when\` in drizzle/meta/_journal.json is not later than that of a migration that ran`,
        advice: 'Give it a later `when`',
      }
    if (!isMissing && when > last)
      return {
        finding: `${tag} has run according to turnlog_migrations, and its row in drizzle.__drizzle_migrations is missing`,
        advice: `Insert that row (hash, created_at): '${hash}', ${when}`,
      }
    if (isMissing && record === undefined)
      return {
        finding: `${tag} does not insert its row (${id}, name, oldest_code) into turnlog_migrations`,
        advice: 'Add that statement to the migration',
      }
  }
  return undefined
}
