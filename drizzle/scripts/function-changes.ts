/** Finds the functions whose sources differ from the last migration, and refuses wrong sources. */
import type { Catalog } from '../../adapters/database/catalog.ts'
import {
  breakpoint,
  definedFunctions,
  type FunctionSource,
  sourceLine,
  statementsOf,
} from '../function-sources.ts'
import { MigrationRefusal, reasonOf } from './migration-refusal.ts'
import type { ScratchDatabase } from './scratch-database.ts'

/**
 * A function's name, and its name with arguments as in a catalog: `turnlog_patch_v1(text, uuid)`.
 */
type Signature = { readonly name: string; readonly signature: string }

export type FunctionChanges = {
  /** The whole source of each function that changed. */
  readonly changed: readonly string[]
  /** The signatures of the functions that no longer have a source. */
  readonly dropped: readonly string[]
}

const signaturesIn = (catalog: Catalog): Signature[] =>
  Object.keys(catalog).flatMap((key) => {
    const [, signature, name] = /^function ((\w+)\(.*\))$/.exec(key) ?? []
    return signature === undefined || name === undefined ? [] : [{ name, signature }]
  })

const fileOf = (name: string) => `drizzle/functions/${name}.sql`

/**
 * Checks the sources.
 * @throws MigrationRefusal A file defines another function than its name says, or a source calls a
 *   function that no longer has a source.
 */
export function verifySources(sources: readonly FunctionSource[], last: Catalog): void {
  for (const { name, text } of sources) {
    const defined = definedFunctions(text)
    if (defined.length !== 1 || defined[0] !== name)
      throw new MigrationRefusal(
        `${fileOf(name)} defines ${defined.join(' and ') || 'no function'}: a file defines exactly the function of its name, with CREATE OR REPLACE FUNCTION ${name}(.`,
      )
  }
  for (const { name } of withoutSource(last, sources)) {
    const call = new RegExp(`\\b${name}\\s*\\(`)
    const caller = sources.find(({ text }) => call.test(text.replace(/--.*$/gm, '')))
    if (caller !== undefined)
      throw new MigrationRefusal(
        `${fileOf(name)} is missing, and ${fileOf(caller.name)} still calls its function.`,
      )
  }
}

const withoutSource = (catalog: Catalog, sources: readonly FunctionSource[]): Signature[] =>
  signaturesIn(catalog).filter(({ name }) => !sources.some((source) => source.name === name))

/**
 * Replaces the functions of a migrated database by their sources. A function has changed if
 * Postgres' catalog has; the texts are not compared. Functions are dropped last, because a trigger
 * may first have to move to another function.
 * @throws MigrationRefusal Postgres refuses a source, or the drop of a function.
 */
export async function changeFunctions(
  scratch: ScratchDatabase,
  sources: readonly FunctionSource[],
): Promise<FunctionChanges> {
  let before = await scratch.catalog()
  const changed: string[] = []
  for (const source of sources) {
    await define(scratch, source)
    const after = await scratch.catalog()
    if (JSON.stringify(after) !== JSON.stringify(before)) changed.push(source.text)
    const ofName = signaturesIn(after).filter(({ name }) => name === source.name)
    if (ofName.length > 1) throw newNameNeeded(source.name, 'both functions would exist')
    before = after
  }
  const dropped = withoutSource(before, sources)
  for (const { name, signature } of dropped)
    await scratch.ask(dropOf(signature)).catch((thrown: unknown) => {
      throw new MigrationRefusal(
        `${fileOf(name)} is missing, and Postgres does not drop its function: ${reasonOf(thrown)}.`,
      )
    })
  return { changed, dropped: dropped.map(({ signature }) => signature) }
}

export const dropOf = (signature: string): string => `DROP FUNCTION ${signature};`

/** Defines a function. Throws a `MigrationRefusal` if Postgres refuses its source. */
export async function define({ ask }: Pick<ScratchDatabase, 'ask'>, source: FunctionSource) {
  let start = 0
  for (const statement of statementsOf(source.text)) {
    const at = start
    await ask(statement).catch((thrown: unknown) => {
      const reason = reasonOf(thrown)
      // Postgres refuses other columns, and other names of arguments, for a function that exists.
      if (/^cannot change (return type|name of input parameter)/.test(reason))
        throw newNameNeeded(source.name, reason)
      const position = positionOf(thrown)
      const line = position === undefined ? '' : `:${sourceLine(source, at + position - 1)}`
      throw new MigrationRefusal(`Postgres refuses ${fileOf(source.name)}${line}: ${reason}.`)
    })
    start += statement.length + breakpoint.length
  }
}

/**
 * The character of a statement, from 1, at which Postgres found the error; undefined if it names
 * none.
 */
function positionOf(thrown: unknown): number | undefined {
  const isObject = typeof thrown === 'object' && thrown !== null
  const position = isObject && 'position' in thrown ? Number(thrown.position) : Number.NaN
  return Number.isInteger(position) ? position : undefined
}

function newNameNeeded(name: string, reason: string): MigrationRefusal {
  const [, stem = name, number = '1'] = /^(.*)_v(\d+)$/.exec(name) ?? []
  return new MigrationRefusal(
    `${fileOf(name)} changes the arguments or the rows of ${name} (${reason}): that needs a new name, ${stem}_v${Number(number) + 1}, in a file of its own (drizzle/README.md).`,
  )
}
