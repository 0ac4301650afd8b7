/** All statements that the domain sends: the SQL texts that its modules export. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Glob } from 'bun'
import type { Database } from '../../../src/ports/database.ts'

const folder = join(import.meta.dir, '../../../src/conversation')

const isStatement = (text: string) =>
  /^[\s(]*(SELECT|WITH|INSERT|UPDATE|DELETE|DO \$\$)\s/.test(text)

/** The SQL texts by file and export, such as `writing/record-call.ts loneTurn`. */
export async function exportedStatements(): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const path of [...new Glob('**/*.ts').scanSync({ cwd: folder })].sort()) {
    const module: object = await import(join(folder, path))
    for (const [name, value] of Object.entries(module)) {
      const texts =
        typeof value === 'string'
          ? [[name, value]]
          : typeof value === 'object' && value !== null
            ? Object.entries(value).map(([key, text]) => [`${name}.${key}`, text])
            : []
      for (const [at, text] of texts)
        if (typeof text === 'string' && isStatement(text)) found.set(`${path} ${String(at)}`, text)
    }
  }
  return found
}

/** SQL constants, as `file name`, that are neither exported nor part of an exported statement. */
export function hiddenStatements(exported: ReadonlyMap<string, string>): string[] {
  const texts = [...exported.values()]
  return [...new Glob('**/*.ts').scanSync({ cwd: folder })].flatMap((path) => {
    const source = readFileSync(join(folder, path), 'utf8')
    return [...source.matchAll(/^\s*const (\w+) =\s+([`'])([^`]*?)\2$/gm)].flatMap(
      ([, name, , text = '']) =>
        isStatement(text) && !texts.some((each) => each.includes(text)) ? [`${path} ${name}`] : [],
    )
  })
}

/** A database that fails if a statement is sent that no module exports. */
export function onlyExported(database: Database, exported: ReadonlySet<string>): Database {
  return {
    ...database,
    query(statement, options) {
      if (!exported.has(statement.text))
        throw new Error(`No module of the domain exports the statement: ${statement.text}`)
      return database.query(statement, options)
    },
  }
}
