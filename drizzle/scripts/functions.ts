/**
 * `bun run db:functions`: writes the functions' migration and its catalog anew from drizzle/functions.
 * Only until it is released: later changes of functions are migrations of their own, which
 * `bun run db:new` makes.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { readMigrations, recordOf } from '../../adapters/database/migration-state.ts'
import { breakpoint, readFunctionSources } from '../function-sources.ts'
import { writeCatalog } from './scratch-database.ts'

const folder = resolve('drizzle')
const tag = '0008_functions'
const last = readMigrations(folder).at(-1)
if (last?.tag !== tag)
  throw new Error(
    `${tag} is not the last migration: make a new one with \`bun run db:new <name>\`.`,
  )

const parts = [...readFunctionSources(folder).map(({ text }) => text), recordOf(last)?.trim()]
const heading =
  '-- Generated from drizzle/functions by `bun run db:functions`: change a function there.\n\n'
writeFileSync(join(folder, `${tag}.sql`), `${heading}${parts.join(`\n${breakpoint}\n`)}\n`)
mkdirSync(join(folder, 'catalogs'), { recursive: true })
process.stdout.write(`Wrote ${tag}.sql and ${await writeCatalog(folder)}\n`)
