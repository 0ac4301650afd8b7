/**
 * `bun run db:functions` generates the functions' migration and its catalog from drizzle/functions.
 * Use it only until that migration is released: later changes of functions are migrations of their
 * own, which `bun run db:new` makes.
 */
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { readMigrations, recordOf } from '../../adapters/database/migration-state.ts'
import { breakpoint, readFunctionSources } from '../function-sources.ts'
import { define } from './function-changes.ts'
import { MigrationRefusal } from './migration-refusal.ts'
import { openScratch } from './scratch-database.ts'
import { StagedFolder } from './staged-folder.ts'

const tag = '0008_functions'
const heading =
  '-- Generated from drizzle/functions by `bun run db:functions`: change a function there.\n\n'

try {
  process.stdout.write(await writeFunctions(resolve('drizzle')))
} catch (thrown) {
  if (!(thrown instanceof MigrationRefusal)) throw thrown
  process.stderr.write(`Nothing was written. ${thrown.message}\n`)
  process.exitCode = 1
}

/** Writes the migration and its catalog, or nothing. Returns the report for the author. */
async function writeFunctions(folder: string): Promise<string> {
  const last = readMigrations(folder).at(-1)
  if (last?.tag !== tag)
    throw new MigrationRefusal(
      `${tag} is not the last migration: make a new one with \`bun run db:new <name>\`.`,
    )
  const sources = readFunctionSources(folder)
  const record = recordOf(last)?.trim() ?? ''
  // Postgres accepts or refuses the functions one by one, in a database that has only the tables.
  using staged = new StagedFolder(folder)
  writeFileSync(join(staged.folder, `${tag}.sql`), `${record}\n`)
  await using scratch = await openScratch(staged.folder)
  for (const source of sources) await define(scratch, source)
  const parts = [...sources.map(({ text }) => text), record]
  writeFileSync(join(folder, `${tag}.sql`), `${heading}${parts.join(`\n${breakpoint}\n`)}\n`)
  await scratch.writeCatalog(folder, tag)
  return `Wrote drizzle/${tag}.sql and drizzle/catalogs/${tag}.json\n`
}
