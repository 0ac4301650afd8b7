/** Refuses a name that occurs twice in one object of a line: `JSON.parse` would drop the first member. */
import { escapePointer } from '../../conversation/wire/json/exact-numbers.ts'
import { countMembers, endOfString } from '../../conversation/wire/json/json-scan.ts'
import { LineProblem } from '../formats/steps.ts'

/**
 * Throws a `LineProblem` with the first such name and its object. `members`: how many members the parsed
 * text has; only a text that has more is searched.
 */
export function refuseRepeated(text: string, members: number): void {
  if (countMembers(text) === members) return
  const found = repeatedName(text)
  if (found === undefined) return
  const { name, pointer } = found
  const place = pointer === '' ? '' : ` at ${shown(pointer)}`
  throw new LineProblem(`a name stands twice in one object: \`${shown(name)}\`${place}`)
}

const charactersMax = 200

/** Escapes as JSON does: a name may hold line ends or control codes of a terminal. */
const shown = (text: string) => JSON.stringify(text.slice(0, charactersMax)).slice(1, -1)

type Open = {
  readonly pointer: string
  /** The names of an object so far; undefined in an array. */
  readonly names: Set<string> | undefined
  /** The name or index of the member that is read. */
  at: string | number
}

/** The text must be JSON. Names are compared as they are read: `a` and `\u0061` are one. */
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

/** Only a name is a string with a colon behind it. */
const colonBehind = /[ \t\n\r]*:/y

function isBeforeColon(text: string, quoteAt: number): boolean {
  colonBehind.lastIndex = quoteAt + 1
  return colonBehind.test(text)
}
