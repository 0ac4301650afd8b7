/**
 * A process with PGlite and nothing else. It opens the data and prints a line when it is ready.
 * Each line of its input is a number of seconds: it runs the statements of a file one after the
 * other for that time and prints the rate. It closes the data at the end of its input.
 */
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { PGlite } from '@electric-sql/pglite'

export type ReplayFigures = { readonly operations: number; readonly value: number }

export type BareStatement = { readonly text: string; readonly params: readonly (string | null)[] }

const [data = '', file] = process.argv.slice(2)
const pglite = await PGlite.create(data)
// The parameters are text already.
pglite.serializers = {}
await pglite.query('select 1')
const statements =
  file === undefined ? [] : (JSON.parse(readFileSync(file, 'utf8')) as BareStatement[])
process.stdout.write('{"ready":true}\n')

let next = 0
for await (const line of createInterface(process.stdin)) {
  const began = performance.now()
  const until = began + Number(line) * 1000
  let operations = 0
  while (performance.now() < until && next < statements.length) {
    const { text = '', params = [] } = statements[next] ?? {}
    next += 1
    await pglite.query(text, [...params])
    operations += 1
  }
  const value = (operations * 1000) / (performance.now() - began)
  process.stdout.write(`${JSON.stringify({ operations, value } satisfies ReplayFigures)}\n`)
}
await pglite.close()
process.exit(0)
