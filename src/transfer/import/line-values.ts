/**
 * Finds the values of a line that the service cannot store unchanged, each with its JSON Pointer.
 */
import {
  escapePointer,
  type InexactNumber,
  inexactNumbers,
} from '../../conversation/wire/json/exact-numbers.ts'
import { jsonBounds, nestsDeeper } from '../../conversation/wire/json/json-scan.ts'
import { isStorable } from '../../conversation/wire/validation.ts'
import { isTimeName, isUsableTime } from '../formats/message-times.ts'
import { LineProblem } from '../formats/steps.ts'
import type { SourcedJson } from '../lines/sourced-json.ts'

/** The problem of a line that nests deeper than the highest possible `limits.jsonDepthMax`. */
export const tooDeep = (): LineProblem =>
  new LineProblem(`nests deeper than ${jsonBounds.levels} levels`)

/** Maximum number of values that one message names. */
const findingsMax = 3
/** Maximum length of a pointer in a message, in characters. */
const pointerCharactersMax = 200

/** Pointers of times: members of a line, of its messages, and of the metadata of either. */
const timePointer = /^(?:(?:\/body)?\/(?:messages|input|output|turns)\/\d+)?(?:\/metadata)?\/[^/]+$/

export type ValueOptions = {
  /**
   * The member with the line's id. It may be a long number, because the id is read from the source
   * text.
   */
  readonly idMember: string | undefined
  /** Whether the format comes from other libraries, which may write times in nanoseconds. */
  readonly hasTimes: boolean
}

/**
 * Throws a `LineProblem` that names each NUL, each lone surrogate and each number that JavaScript
 * cannot hold. A time in nanoseconds that a double cannot hold is replaced in `value` by a string
 * of its digits. Returns the number of replaced times.
 */
export function checkValues(
  { value }: SourcedJson,
  text: string,
  { idMember, hasTimes }: ValueOptions,
): number {
  if (nestsDeeper(text, jsonBounds.levels)) throw tooDeep()
  const found = /\\u(?:0000|d[89a-f])/i.test(text) ? unstorable(value) : []
  let digits = 0
  for (const number of inexactNumbers(text, Number.POSITIVE_INFINITY)) {
    const { pointer, source } = number
    if (idMember !== undefined && pointer === `/${idMember}`) continue
    const holder = hasTimes ? timeHolder(value, number) : undefined
    if (holder === undefined) found.push([pointer, reasonOf(number)])
    else {
      Object.assign(holder, { [nameIn(pointer)]: source })
      digits += 1
    }
  }
  if (found.length === 0) return digits
  const reasons = found
    .slice(0, findingsMax)
    .map(
      ([pointer, reason]) => `${pointer.slice(0, pointerCharactersMax).toWellFormed()} ${reason}`,
    )
  const more = found.length > findingsMax ? [`and ${found.length - findingsMax} more`] : []
  throw new LineProblem([...reasons, ...more].join('; '))
}

type Finding = [pointer: string, reason: string]

function unstorable(line: unknown): Finding[] {
  const found: Finding[] = []
  const walk = (value: unknown, pointer: string) => {
    if (typeof value === 'string' && !isStorable(value))
      found.push([pointer, 'contains NUL or a lone surrogate, which cannot be stored'])
    if (typeof value !== 'object' || value === null) return
    for (const [name, item] of Object.entries(value)) {
      if (!isStorable(name)) found.push([pointer, 'has a member whose name cannot be stored'])
      walk(item, `${pointer}/${escapePointer(name)}`)
    }
  }
  walk(line, '')
  return found
}

function reasonOf({ source, isInfinite }: InexactNumber): string {
  const shown = source.length > 40 ? `${source.slice(0, 40)}…` : source
  return isInfinite
    ? `is ${shown}, which is outside the range of a double`
    : `is the integer ${shown}, which JavaScript cannot hold exactly: it would become ${Number(source)}`
}

const nameIn = (pointer: string) => pointer.slice(pointer.lastIndexOf('/') + 1)

/** Returns the object that holds the number, or undefined if the number is not a time. */
function timeHolder(line: unknown, { pointer, source }: InexactNumber): object | undefined {
  const isTime = timePointer.test(pointer) && isTimeName(nameIn(pointer))
  if (!isTime || !isUsableTime(source)) return undefined
  let holder = line
  for (const name of pointer.split('/').slice(1, -1))
    holder = typeof holder === 'object' && holder !== null ? Reflect.get(holder, name) : undefined
  return typeof holder === 'object' && holder !== null ? holder : undefined
}
