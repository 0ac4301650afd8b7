/** The rules for a folder of migrations. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readMigrations, recordOf } from '../../adapters/database/migration-state.ts'

/** The first id of the journal. Lower ids belonged to migrations that no longer exist. */
const firstId = 7

/** The rules that the folder breaks, each as the sentence that is not true of it. */
export function brokenRules(folder: string): string[] {
  const migrations = readMigrations(folder)
  const filesIn = (...path: string[]) => readdirSync(join(folder, ...path)).sort()
  const broken: string[] = []
  const rule = (text: string, holds: boolean) => {
    if (!holds) broken.push(text)
  }
  migrations.forEach((migration, index) => {
    const { id, tag, when } = migration
    const previous = migrations[index - 1]
    rule(`${tag} has the id ${firstId + index}`, id === firstId + index)
    rule(`${tag} is named by its id`, tag.startsWith(`${String(id).padStart(4, '0')}_`))
    rule(`${tag} is later than the one before`, previous === undefined || when > previous.when)
    rule(`${tag} inserts its own row, last`, recordOf(migration) === migration.statements.at(-1))
    rule(
      `${tag} inserts its own name`,
      recordOf(migration)?.includes(`, '${tag.slice(5)}', `) === true,
    )
  })
  const isSame = (a: readonly string[], b: readonly string[]) => a.join() === b.join()
  rule(
    'every file of SQL is in the journal, and every entry of the journal has its file',
    isSame(
      filesIn().filter((file) => file.endsWith('.sql')),
      migrations.map(({ tag }) => `${tag}.sql`),
    ),
  )
  rule(
    'every migration has a snapshot, and every snapshot a migration',
    isSame(
      filesIn('meta').filter((file) => !file.startsWith('_')),
      migrations.map(({ tag }) => `${tag.slice(0, 4)}_snapshot.json`),
    ),
  )
  rule(
    'every migration but the first has a catalog, and every catalog a migration',
    isSame(
      filesIn('catalogs'),
      migrations.slice(1).map(({ tag }) => `${tag}.json`),
    ),
  )
  const chain = filesIn('meta')
    .filter((file) => !file.startsWith('_'))
    .map((file): { id: string; prevId: string } =>
      JSON.parse(readFileSync(join(folder, 'meta', file), 'utf8')),
    )
  rule(
    'every snapshot follows the one before',
    chain.every(({ prevId }, index) => index === 0 || prevId === chain[index - 1]?.id),
  )
  return broken
}
