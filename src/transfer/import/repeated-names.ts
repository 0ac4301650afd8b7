/**
 * Refuses a line in which an object has two members of one name: `JSON.parse` would drop the first
 * one.
 */
import { escapePointer } from '../../conversation/wire/json/exact-numbers.ts'
import { countMembers, endOfString } from '../../conversation/wire/json/json-scan.ts'
import { LineProblem } from '../formats/steps.ts'

/**
 * Throws a `LineProblem` with the first repeated name and the pointer of its object. `members` is
 * the number of members of the parsed text. Only a text with more members is searched.
 */
export function refuseRepeated(text: string, members: number): void {
  if (countMembers(text) === members) return
  const found = repeatedName(text)
  if (found === undefined) return
  const { name, pointer } = found
  const object = pointer === '' ? 'one object' : `the object at ${shown(pointer)}`
  throw new LineProblem(`has two members named \`${shown(name)}\` in ${object}`)
}

const charactersMax = 200

/** Escapes a name as JSON does, because it may hold line ends or control codes of a terminal. */
const shown = (text: string) => JSON.stringify(text.slice(0, charactersMax)).slice(1, -1)

/** An object or array whose end is not read yet. */
type Open = {
  readonly pointer: string
  /** The names of an object that were read so far, undefined in an array. */
  readonly names: Set<string> | undefined
  /** The name or index of the member that is being read. */
  at: string | number
}

/**
 * Finds a repeated name in a JSON text. Names are compared unescaped: `a` and `\u0061` are one
 * name.
 */
function repeatedName(text: string): { name: string; pointer: string } | undefined {
  const around: Open[] = []
  const open = (names: Set<string> | undefined) => {
    const outer = around.at(-1)
    const pointer = outer === undefined ? '' : `${outer.pointer}/${escapePointer(String(outer.at))}`
    around.push({ pointer, names, at: 0 })
  }
  for (let at = 0; at < text.length; at += 1) {
    const sign = text.charAt(at)
    const inner = around.at(-1)
    if (sign === '{') open(new Set())
    else if (sign === '[') open(undefined)
    else if (sign === '}' || sign === ']') around.pop()
    else if (sign === ',' && typeof inner?.at === 'number') inner.at += 1
    else if (sign === '"') {
      const end = endOfString(text, at)
      if (end === -1) return undefined
      if (inner?.names !== undefined && isBeforeColon(text, end)) {
        const name = String(JSON.parse(text.slice(at, end + 1)))
        if (inner.names.has(name)) return { name, pointer: inner.pointer }
        inner.names.add(name)
        inner.at = name
      }
      at = end
    }
  }
  return undefined
}

/** Matches the colon after a string, by which a name differs from a value. */
const colonBehind = /[ \t\n\r]*:/y

function isBeforeColon(text: string, quoteAt: number): boolean {
  colonBehind.lastIndex = quoteAt + 1
  return colonBehind.test(text)
}
