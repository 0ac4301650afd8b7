/**
 * `bun run db:functions`: writes the functions' migration anew from drizzle/functions. Only until it is
 * released: later changes of functions are migrations of their own, which `bun run db:new` makes.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { breakpoint, readFunctionSources } from '../function-sources.ts'

const folder = fileURLToPath(new URL('..', import.meta.url))
const tag = '0008_functions'

const journal: { entries: { tag: string }[] } = JSON.parse(
  readFileSync(join(folder, 'meta/_journal.json'), 'utf8'),
)
if (journal.entries.at(-1)?.tag !== tag) {
  throw new Error(
    `${tag} is not the last migration: make a new one with \`bun run db:new <name>\`.`,
  )
}

const parts = [
  ...readFunctionSources(folder).map(({ text }) => text),
  `INSERT INTO turnlog_migrations (id, name, oldest_code) VALUES (8, 'functions', 2);`,
]
const heading =
  '-- Generated from drizzle/functions by `bun run db:functions`: change a function there.\n\n'
writeFileSync(join(folder, `${tag}.sql`), `${heading}${parts.join(`\n${breakpoint}\n`)}\n`)
