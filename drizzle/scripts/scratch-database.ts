/** A scratch database: an embedded Postgres in memory, with the migrations of a folder. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import { getTableName, is } from 'drizzle-orm'
import { PgTable } from 'drizzle-orm/pg-core'
import { drizzle } from 'drizzle-orm/pglite'
import { migrate } from 'drizzle-orm/pglite/migrator'
import type { Ask } from '../../adapters/database/ask.ts'
import { type Catalog, catalogFile, readCatalog } from '../../adapters/database/catalog.ts'

export type ScratchDatabase = AsyncDisposable & {
  readonly ask: Ask
  catalog(): Promise<Catalog>
  /** Writes the catalog into a folder as that of the migration `tag`. Returns the file's name. */
  writeCatalog(folder: string, tag: string): Promise<string>
}

/** Opens a scratch database. Its catalog has the tables of the folder's `schema.ts`. */
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
