/**
 * `bun run db:new <name>`: makes every piece of a migration. drizzle-kit compares schema.ts with the last
 * snapshot; the functions whose sources differ from what the migrations end in are appended, and the row
 * of the migration itself. The folder is `drizzle` in the working directory.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readMigrations, recordOf } from '../../adapters/database/migration-state.ts'
import { breakpoint } from '../function-sources.ts'
import { changedFunctions } from './function-changes.ts'
import { writeCatalog } from './scratch-database.ts'

type Journal = { entries: { idx: number; when: number; tag: string }[] }

const folder = resolve('drizzle')
const journalFile = join(folder, 'meta/_journal.json')
const readJournal = (): Journal => JSON.parse(readFileSync(journalFile, 'utf8'))

const [name = ''] = process.argv.slice(2)
if (!/^[a-z][a-z0-9_]*$/.test(name))
  throw new Error('A migration needs a name of small letters, digits and _: bun run db:new <name>')

const before = readMigrations(folder)
const last = before.at(-1)
if (last === undefined) throw new Error('The journal is empty')

generate()
if (readJournal().entries.length === before.length) generate('--custom')
const { tag, idx } = settle()
const file = join(folder, `${tag}.sql`)
const oldestCode = /(\d+)\);\s*$/.exec(recordOf(last) ?? '')?.[1] ?? '1'
const record = `INSERT INTO turnlog_migrations (id, name, oldest_code) VALUES (${idx}, '${name}', ${oldestCode});`
// A migration that changes no tables has but a comment of drizzle-kit's.
const tables = readFileSync(file, 'utf8').replace(/^-- Custom SQL migration file.*$/m, '')
writeStatements(tables, record)
// After the tables: a function may need what they have new.
const functions = await changedFunctions(folder)
writeStatements(tables, ...functions, record)
process.stdout.write(
  `Wrote ${tag}.sql with ${functions.length} statements of functions, its snapshot and ${await writeCatalog(folder)}.\n` +
    `Code down to ${oldestCode} runs with it: raise oldest_code there and codeVersion in adapters/database/migrations.ts where it cannot.\n`,
)

function generate(...more: string[]): void {
  const kit = join(dirname(fileURLToPath(import.meta.resolve('drizzle-kit'))), 'bin.cjs')
  const words = ['--dialect', 'postgresql', '--schema', './drizzle/schema.ts', '--out', './drizzle']
  const { status } = spawnSync(
    process.execPath,
    [kit, 'generate', ...words, '--name', name, ...more],
    {
      cwd: dirname(folder),
      // drizzle-kit asks whether a column was renamed.
      stdio: 'inherit',
    },
  )
  if (status !== 0) throw new Error('drizzle-kit failed')
}

/** The new entry, later than the one before it: a clock may have gone back, or a branch come from ahead. */
function settle(): Journal['entries'][number] {
  const journal = readJournal()
  const [previous, entry] = journal.entries.slice(-2)
  if (previous === undefined || entry === undefined || journal.entries.length !== before.length + 1)
    throw new Error('drizzle-kit made no migration')
  entry.when = Math.max(entry.when, previous.when + 1)
  writeFileSync(journalFile, JSON.stringify(journal, null, 2))
  return entry
}

function writeStatements(...statements: string[]): void {
  const made = statements.map((each) => each.trim()).filter((each) => each !== '')
  writeFileSync(file, `${made.join(`\n${breakpoint}\n`)}\n`)
}
