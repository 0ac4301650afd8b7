/** Which sources of functions differ from what the migrations end in, and which of them cannot be taken. */
import type { Catalog } from '../../adapters/database/catalog.ts'
import { definedFunctions, type FunctionSource, statementsOf } from '../function-sources.ts'
import { MigrationRefusal, reasonOf } from './migration-refusal.ts'
import type { ScratchDatabase } from './scratch-database.ts'

/** A function as a catalog names it: `turnlog_patch_v1(text, uuid)`. */
type Signature = { readonly name: string; readonly signature: string }

export type FunctionChanges = {
  /** The whole source of each function that differs. */
  readonly changed: readonly string[]
  /** The signatures of the functions without a source. */
  readonly dropped: readonly string[]
}

const signaturesIn = (catalog: Catalog): Signature[] =>
  Object.keys(catalog).flatMap((key) => {
    const [, signature, name] = /^function ((\w+)\(.*\))$/.exec(key) ?? []
    return signature === undefined || name === undefined ? [] : [{ name, signature }]
  })

const fileOf = (name: string) => `drizzle/functions/${name}.sql`

/** Refuses a source of another function than its file says, and a call of a function that has no source any more. */
export function verifySources(sources: readonly FunctionSource[], last: Catalog): void {
  for (const { name, text } of sources) {
    const defined = definedFunctions(text)
    if (defined.length !== 1 || defined[0] !== name)
      throw new MigrationRefusal(
        `${fileOf(name)} defines ${defined.join(' and ') || 'no function'}: a file defines the one function of its name, by CREATE OR REPLACE FUNCTION ${name}(.`,
      )
  }
  for (const { name } of withoutSource(last, sources)) {
    const call = new RegExp(`\\b${name}\\s*\\(`)
    const caller = sources.find(({ text }) => call.test(text.replace(/--.*$/gm, '')))
    if (caller !== undefined)
      throw new MigrationRefusal(
        `${fileOf(name)} is gone, and ${fileOf(caller.name)} still calls its function.`,
      )
  }
}

const withoutSource = (catalog: Catalog, sources: readonly FunctionSource[]): Signature[] =>
  signaturesIn(catalog).filter(({ name }) => !sources.some((source) => source.name === name))

/**
 * Brings the functions of a migrated database to their sources, and answers what that changed. Postgres
 * judges, not the text. The drops come last: a trigger may have gone over to another function.
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
    if (ofName.length > 1) throw newNameNeeded(source.name, 'it would stand beside the old one')
    before = after
  }
  const dropped = withoutSource(before, sources)
  for (const { name, signature } of dropped)
    await scratch.ask(dropOf(signature)).catch((thrown: unknown) => {
      throw new MigrationRefusal(
        `${fileOf(name)} is gone, and Postgres does not drop its function: ${reasonOf(thrown)}.`,
      )
    })
  return { changed, dropped: dropped.map(({ signature }) => signature) }
}

export const dropOf = (signature: string): string => `DROP FUNCTION ${signature};`

async function define(scratch: ScratchDatabase, { name, text }: FunctionSource): Promise<void> {
  for (const statement of statementsOf(text))
    await scratch.ask(statement).catch((thrown: unknown) => {
      const reason = reasonOf(thrown)
      // Postgres refuses other columns, and other names of arguments, for a function that exists.
      if (/^cannot change (return type|name of input parameter)/.test(reason))
        throw newNameNeeded(name, reason)
      throw new MigrationRefusal(`Postgres refuses ${fileOf(name)}: ${reason}.`)
    })
}

function newNameNeeded(name: string, reason: string): MigrationRefusal {
  const [, stem = name, number = '1'] = /^(.*)_v(\d+)$/.exec(name) ?? []
  return new MigrationRefusal(
    `${fileOf(name)} changes the arguments or the rows of ${name} (${reason}): that needs a new name, ${stem}_v${Number(number) + 1}, in a file of its own (drizzle/README.md).`,
  )
}
