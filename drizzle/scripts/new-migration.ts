/**
 * `bun run db:new <name>` makes every piece of a migration, or refuses with one line and leaves the
 * folder unchanged. drizzle-kit compares schema.ts with the last snapshot. The functions whose
 * sources have changed since the last migration are appended, and then the row of the migration
 * itself. The folder is `drizzle` in the working directory.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { readCatalogFile } from '../../adapters/database/catalog.ts'
import {
  type Migration,
  readMigrations,
  recordOf,
} from '../../adapters/database/migration-state.ts'
import {
  breakpoint,
  type FunctionSource,
  readFunctionSources,
  statementsOf,
} from '../function-sources.ts'
import { changeFunctions, dropOf, verifySources } from './function-changes.ts'
import { MigrationRefusal, reasonOf } from './migration-refusal.ts'
import { brokenRules } from './migration-rules.ts'
import { openScratch, type ScratchDatabase } from './scratch-database.ts'
import { StagedFolder } from './staged-folder.ts'

type Journal = { entries: { idx: number; when: number; tag: string }[] }

try {
  process.stdout.write(await makeMigration(resolve('drizzle'), process.argv.slice(2)))
} catch (thrown) {
  if (!(thrown instanceof MigrationRefusal)) throw thrown
  process.stderr.write(`No migration was made. ${thrown.message}\n`)
  process.exitCode = 1
}

/** Makes the migration. Returns the report for its author. */
async function makeMigration(folder: string, words: readonly string[]): Promise<string> {
  const { name, isEmpty } = optionsIn(words)
  const { migrations, last } = readJournal(folder, name)
  const sources = readSources(folder, last)
  using staged = new StagedFolder(folder)
  const hasTables = staged.makeTables(name)
  await using scratch = await openScratch(folder)
  const tables = hasTables ? newTables(staged.folder, migrations.length) : ''
  await runTables(scratch, tables)
  const { changed, dropped } = await changeFunctions(scratch, sources)
  const isChanged = hasTables || changed.length > 0 || dropped.length > 0
  if (!isChanged && !isEmpty)
    throw new MigrationRefusal(
      'Nothing changed; --empty makes an empty migration, for changes of data.',
    )
  if (isChanged && isEmpty)
    throw new MigrationRefusal(
      '--empty is for changes of data, and tables or functions have changed: leave it out.',
    )

  if (!hasTables) staged.makeEmpty(name)
  const { tag, idx } = settle(staged.folder, migrations.length)
  const oldestCode = /(\d+)\);\s*$/.exec(recordOf(last) ?? '')?.[1] ?? '1'
  const record = `INSERT INTO turnlog_migrations (id, name, oldest_code) VALUES (${idx}, '${name}', ${oldestCode});`
  const statements = [tables, ...changed, ...dropped.map(dropOf), record]
  const text = statements.map((each) => each.trim()).filter((each) => each !== '')
  writeFileSync(join(staged.folder, `${tag}.sql`), `${text.join(`\n${breakpoint}\n`)}\n`)
  const catalog = await scratch.writeCatalog(staged.folder, tag)
  verifyRules(staged.folder)
  staged.moveIn([
    `${tag}.sql`,
    join('meta', `${tag.slice(0, 4)}_snapshot.json`),
    relative(staged.folder, catalog),
  ])
  return [
    `Wrote drizzle/${tag}.sql with ${changed.length} changed functions, its snapshot and its catalog.`,
    ...(dropped.length === 0
      ? [
          `It says that code from version ${oldestCode} on runs with it. If that is not so, raise oldest_code there and codeVersion in adapters/database/migrations.ts.`,
        ]
      : [
          `It drops ${dropped.join(', ')}.`,
          `Code that calls them cannot run with it: raise oldest_code there (${oldestCode} now) and codeVersion in adapters/database/migrations.ts (drizzle/README.md).`,
        ]),
    '',
  ].join('\n')
}

function optionsIn(words: readonly string[]): { name: string; isEmpty: boolean } {
  const isEmpty = words.includes('--empty')
  const [name = '', ...more] = words.filter((word) => word !== '--empty')
  if (!/^[a-z][a-z0-9_]*$/.test(name) || more.length > 0)
    throw new MigrationRefusal(
      'A migration has one name of lower-case letters, digits and _: bun run db:new <name> [--empty]',
    )
  return { name, isEmpty }
}

function readJournal(folder: string, name: string): { migrations: Migration[]; last: Migration } {
  const migrations = reading('drizzle/meta/_journal.json', () => {
    verifyRules(folder)
    return readMigrations(folder)
  })
  const last = migrations.at(-1)
  if (last === undefined) throw new MigrationRefusal('drizzle/meta/_journal.json is empty.')
  const same = migrations.find(({ tag }) => tag.slice(5) === name)
  if (same !== undefined)
    throw new MigrationRefusal(`${same.tag} already has that name: choose another one.`)
  return { migrations, last }
}

function readSources(folder: string, last: Migration): FunctionSource[] {
  const sources = reading('drizzle/functions', () => readFunctionSources(folder))
  verifySources(sources, readCatalogFile(folder, last.tag))
  return sources
}

function verifyRules(folder: string): void {
  const [broken] = brokenRules(folder)
  if (broken !== undefined) throw new MigrationRefusal(`drizzle/ breaks the rule that ${broken}.`)
}

/** Reads files. Turns an error into a refusal that names `files`. */
function reading<Value>(files: string, read: () => Value): Value {
  try {
    return read()
  } catch (thrown) {
    if (thrown instanceof MigrationRefusal) throw thrown
    throw new MigrationRefusal(`${files} cannot be read: ${reasonOf(thrown)}.`)
  }
}

function journalIn(folder: string): Journal {
  return JSON.parse(readFileSync(join(folder, 'meta/_journal.json'), 'utf8'))
}

/**
 * The SQL that drizzle-kit wrote for the tables. Refused if the author did not answer its question.
 */
function newTables(staged: string, countBefore: number): string {
  const { entries } = journalIn(staged)
  const entry = entries[countBefore]
  if (entry === undefined) throw new MigrationRefusal("drizzle-kit's question was not answered.")
  return readFileSync(join(staged, `${entry.tag}.sql`), 'utf8')
}

async function runTables(scratch: ScratchDatabase, tables: string): Promise<void> {
  for (const statement of statementsOf(tables).filter((each) => each.trim() !== ''))
    await scratch.ask(statement).catch((thrown: unknown) => {
      throw new MigrationRefusal(
        `Postgres refuses what changed in drizzle/schema.ts: ${reasonOf(thrown)}.`,
      )
    })
}

/**
 * Makes the new entry of the journal later than the one before it, whose time may be in the future:
 * the clock was set back, or the entry came from a branch made on another machine.
 */
function settle(staged: string, countBefore: number): Journal['entries'][number] {
  const journal = journalIn(staged)
  const [previous, entry] = journal.entries.slice(-2)
  if (previous === undefined || entry === undefined || journal.entries.length !== countBefore + 1)
    throw new MigrationRefusal('drizzle-kit made no entry in the journal.')
  entry.when = Math.max(entry.when, previous.when + 1)
  writeFileSync(join(staged, 'meta/_journal.json'), JSON.stringify(journal, null, 2))
  return entry
}
