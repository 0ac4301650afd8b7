/** Which sources of functions differ from what the migrations end in. */
import { readFunctionSources, statementsOf } from '../function-sources.ts'
import { openScratch } from './scratch-database.ts'

/**
 * The statements that bring the functions of a migrated database to their sources: the whole source of
 * each that differs, and a `DROP` for each function without a source. Postgres judges, not the text.
 */
export async function changedFunctions(folder: string): Promise<string[]> {
  await using scratch = await openScratch(folder)
  const sources = readFunctionSources(folder)
  const dropped = Object.keys(await scratch.catalog()).flatMap((key) => {
    const [, signature = '', name = ''] = /^function ((\w+)\(.*\))$/.exec(key) ?? []
    return signature === '' || sources.some((source) => source.name === name)
      ? []
      : [`DROP FUNCTION ${signature};`]
  })
  const changed: string[] = []
  for (const { text } of sources) {
    const before = JSON.stringify(await scratch.catalog())
    for (const statement of statementsOf(text)) await scratch.ask(statement)
    if (JSON.stringify(await scratch.catalog()) !== before) changed.push(text)
  }
  return [...dropped, ...changed]
}
