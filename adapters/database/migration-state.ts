/** Which migrations a folder has, which of them a database says that it ran, and what follows from both. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import { type Ask, askOne } from './ask.ts'

export type Migration = {
  /** In the journal and in `turnlog_migrations`; never given twice. */
  readonly id: number
  /** The name of its file, without `.sql`. */
  readonly tag: string
  /** Milliseconds since 1970, by which drizzle's migrator orders and remembers it. */
  readonly when: number
  /** As drizzle's migrator records it. */
  readonly hash: string
  readonly statements: readonly string[]
}

/** The migrations of a folder, in the order of its journal. */
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

/** The statement with which a migration records that it ran; undefined where it has none. */
export function recordOf({ id, statements }: Migration): string | undefined {
  const record = new RegExp(
    `^\\s*INSERT INTO turnlog_migrations \\(id, name, oldest_code\\) VALUES \\(${id}, '\\w+', \\d+\\);\\s*$`,
  )
  return statements.find((statement) => record.test(statement))
}

/** What a database says that it ran. */
export type Recorded = {
  /** Whether there is a `turnlog_migrations`. */
  readonly known: boolean
  /** Of `turnlog_migrations`: what this release goes by. */
  readonly ids: readonly number[]
  /** Of `drizzle.__drizzle_migrations`: what drizzle's migrator goes by, which runs what is later than the last. */
  readonly times: readonly number[]
}

export async function readRecorded(ask: Ask): Promise<Recorded> {
  const known = await askOne(
    ask,
    `select to_regclass('turnlog_migrations') is not null as ids,
      to_regclass('drizzle.__drizzle_migrations') is not null as times`,
  )
  const list = async (text: string) =>
    (await ask(text)).flatMap((row) => ('n' in row && typeof row.n === 'number' ? [row.n] : []))
  return {
    known: known.ids === true,
    ids: known.ids === true ? await list('select id as n from turnlog_migrations order by id') : [],
    times:
      known.times === true
        ? await list('select created_at::int8 as n from drizzle.__drizzle_migrations order by 1')
        : [],
  }
}

/**
 * What a database of the seven migrations before the first release has recorded; 4 to 6 recorded
 * no id. The first two migrations of today make the same tables and functions.
 */
const old = {
  ids: [0, 1, 2, 3],
  times: [
    1795456360269, 1795456360646, 1795469680684, 1795478479312, 1795490000000, 1795777819875,
    1795787819875,
  ],
}

/**
 * - `missing`: there are no tables.
 * - `old`: exactly the migrations before the first release have run, which can be adopted.
 * - `foreign`: others have run than this release or those before it have.
 * - `behind`: migrations are missing.
 * - `current`: all have run, and perhaps some of a newer release.
 */
export type MigrationState = 'missing' | 'old' | 'foreign' | 'behind' | 'current'

export function stateOf(recorded: Recorded, migrations: readonly Migration[]): MigrationState {
  const { known, ids, times } = recorded
  if (!known) return 'missing'
  if (isSame(ids, old.ids) && isSame(times, old.times)) return 'old'
  if (!ids.includes(migrations[0]?.id ?? 0) && !hasRunSome(recorded, migrations)) return 'foreign'
  return migrations.every(({ id }) => ids.includes(id)) ? 'current' : 'behind'
}

/** Whether a migration of this release has run by drizzle's table, and none of another one by ours. */
function hasRunSome({ ids, times }: Recorded, migrations: readonly Migration[]): boolean {
  const first = migrations[0]?.id ?? 0
  return (
    migrations.some(({ when }) => times.includes(when)) &&
    ids.every((id) => id >= first || old.ids.includes(id))
  )
}

/** How a `foreign` database differs from one that could be adopted. */
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

/** Why a database is not migrated, and what to do about it: a sentence each, without its full stop. */
export type Obstacle = { readonly finding: string; readonly advice: string }

/**
 * Why drizzle's migrator would not run exactly the migrations that are missing; undefined where it
 * would. It runs what is later than the last that ran, and skips the rest in silence.
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
        finding: `${tag} has run by drizzle.__drizzle_migrations, and its row in turnlog_migrations is missing`,
        advice: `Put it back: ${record ?? `(id, name, oldest_code), with the id ${id}`}`,
      }
    if (isMissing && when <= last)
      return {
        finding: `${tag} has not run, and would be skipped: its \`when\` in drizzle/meta/_journal.json is not later than that of a migration that ran`,
        advice: 'Give it a later one',
      }
    if (!isMissing && when > last)
      return {
        finding: `${tag} has run by turnlog_migrations and has not by drizzle.__drizzle_migrations`,
        advice: `Add the row that is missing there (hash, created_at): '${hash}', ${when}`,
      }
    if (isMissing && record === undefined)
      return {
        finding: `${tag} does not insert its row (${id}, name, oldest_code) into turnlog_migrations`,
        advice: 'Let it',
      }
  }
  return undefined
}
