/** An embedded database in memory, migrated by a folder of migrations. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import { getTableName, is } from 'drizzle-orm'
import { PgTable } from 'drizzle-orm/pg-core'
import { drizzle } from 'drizzle-orm/pglite'
import { migrate } from 'drizzle-orm/pglite/migrator'
import type { Ask } from '../../adapters/database/ask.ts'
import { type Catalog, catalogFile, readCatalog } from '../../adapters/database/catalog.ts'
import { readMigrations } from '../../adapters/database/migration-state.ts'

export type ScratchDatabase = AsyncDisposable & {
  readonly ask: Ask
  catalog(): Promise<Catalog>
  /** Writes the catalog into a folder as that of a migration, and answers the file's name. */
  writeCatalog(folder: string, tag: string): Promise<string>
}

/** With the tables of the folder's own `schema.ts` in its catalog. */
export async function openScratch(migrationsFolder: string): Promise<ScratchDatabase> {
  const schema: Record<string, unknown> = await import(join(migrationsFolder, 'schema.ts'))
  const tables = Object.values(schema).flatMap((each) =>
    is(each, PgTable) ? [getTableName(each)] : [],
  )
  const pglite = await PGlite.create()
  await migrate(drizzle(pglite), { migrationsFolder })
  const ask: Ask = async (text) => (await pglite.query<object>(text)).rows
  const catalog = () => readCatalog(ask, tables)
  return {
    ask,
    catalog,
    async writeCatalog(folder, tag) {
      const file = catalogFile(folder, tag)
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, `${JSON.stringify(await catalog(), null, 2)}\n`)
      return file
    },
    [Symbol.asyncDispose]: () => pglite.close(),
  }
}

/** Writes what a database is after the folder's last migration, and answers the file's name. */
export async function writeCatalog(migrationsFolder: string): Promise<string> {
  await using scratch = await openScratch(migrationsFolder)
  const tag = readMigrations(migrationsFolder).at(-1)?.tag ?? ''
  return await scratch.writeCatalog(migrationsFolder, tag)
}
