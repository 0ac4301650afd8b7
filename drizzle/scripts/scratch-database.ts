/** An embedded database for as long as a script runs, migrated by a folder of migrations. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getTableName, is } from 'drizzle-orm'
import { PgTable } from 'drizzle-orm/pg-core'
import type { Ask } from '../../adapters/database/ask.ts'
import { type Catalog, catalogFile, readCatalog } from '../../adapters/database/catalog.ts'
import { readMigrations } from '../../adapters/database/migration-state.ts'
import { openDatabase } from '../../adapters/open.ts'

export type ScratchDatabase = AsyncDisposable & {
  readonly ask: Ask
  catalog(): Promise<Catalog>
}

/** With the tables of the folder's own `schema.ts` in its catalog. */
export async function openScratch(migrationsFolder: string): Promise<ScratchDatabase> {
  const schema: Record<string, unknown> = await import(join(migrationsFolder, 'schema.ts'))
  const tables = Object.values(schema).flatMap((each) =>
    is(each, PgTable) ? [getTableName(each)] : [],
  )
  const directory = mkdtempSync(join(tmpdir(), 'turnlog-scratch-'))
  const database = await openDatabase({
    directory: join(directory, 'data'),
    migrationsFolder,
    connectionsMax: 1,
    prepare: false,
    deadlineMs: 60_000,
    connectTimeoutMs: 60_000,
    startWaitSeconds: 60,
    allowUnsafe: false,
  })
  await database.migrate()
  const ask: Ask = (text) => database.query<object>({ text, params: [] })
  return {
    ask,
    catalog: () => readCatalog(ask, tables),
    async [Symbol.asyncDispose]() {
      await database[Symbol.asyncDispose]()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** Writes what a database is after the folder's last migration, and answers the file's name. */
export async function writeCatalog(migrationsFolder: string): Promise<string> {
  await using scratch = await openScratch(migrationsFolder)
  const file = catalogFile(migrationsFolder, readMigrations(migrationsFolder).at(-1)?.tag ?? '')
  writeFileSync(file, `${JSON.stringify(await scratch.catalog(), null, 2)}\n`)
  return file
}
