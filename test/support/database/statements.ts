/** The statements of the domain: the SQL texts that its modules export. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Glob } from 'bun'
import type { Database } from '../../../src/ports/database.ts'

const folder = join(import.meta.dir, '../../../src/conversation')

const isStatement = (text: string) =>
  /^[\s(]*(SELECT|WITH|INSERT|UPDATE|DELETE|DO \$\$)\s/.test(text)

/** The statements by their file and name, such as `writing/record-call.ts loneTurn`. */
export async function exportedStatements(): Promise<Map<string, string>> {
  const statements = new Map<string, string>()
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
        if (typeof text === 'string' && isStatement(text))
          statements.set(`${path} ${String(at)}`, text)
    }
  }
  return statements
}

/** SQL constants that are neither exported nor part of an exported statement, as `file name`. */
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

/** Wraps a database so that a statement that no module exports throws. */
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
