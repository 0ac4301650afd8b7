/** What of a line's values the service cannot keep as it came, each with its JSON Pointer. */
import { escapePointer, type InexactNumber, inexactNumbers } from '../conversation/exact-numbers.ts'
import { jsonBounds, nestsDeeper } from '../conversation/json-scan.ts'
import { isStorable } from '../conversation/shape.ts'
import { isTimeName, isUsableTime } from './message-times.ts'
import type { SourcedJson } from './sourced-json.ts'
import { LineProblem } from './steps.ts'

/** No service takes what is deeper in a line: no setting allows more levels. */
export const tooDeep = (): LineProblem =>
  new LineProblem(`nests deeper than ${jsonBounds.levels} levels`)

/** More places than this are not named, and none with more characters. */
const placesMax = 3
const placeCharactersMax = 200

/** Where times are read: members of a line and of its messages, and of the metadata of both. */
const timePlace = /^(?:(?:\/body)?\/(?:messages|input|output|turns)\/\d+)?(?:\/metadata)?\/[^/]+$/

export type ValueOptions = {
  /** A member of the line whose number is taken by its text. */
  readonly idMember: string | undefined
  /** Whether the format has times as libraries write them. */
  readonly hasTimes: boolean
}

/**
 * Throws a `LineProblem` that names NUL, lone surrogates and numbers that JavaScript cannot hold. A
 * time in nanoseconds that is no exact number becomes the text of its digits: returns how many did.
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
  const places = found
    .slice(0, placesMax)
    .map(([pointer, reason]) => `${pointer.slice(0, placeCharactersMax).toWellFormed()} ${reason}`)
  const more = found.length > placesMax ? [`and ${found.length - placesMax} more`] : []
  throw new LineProblem([...places, ...more].join('; '))
}

type Place = [pointer: string, reason: string]

function unstorable(line: unknown): Place[] {
  const found: Place[] = []
  const walk = (value: unknown, pointer: string) => {
    if (typeof value === 'string' && !isStorable(value))
      found.push([pointer, 'holds NUL or a lone surrogate, which cannot be stored'])
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
    ? `is ${shown}, which is beyond the range of a double`
    : `is the integer ${shown}, which cannot be kept exactly: it would become ${Number(source)}`
}

const nameIn = (pointer: string) => pointer.slice(pointer.lastIndexOf('/') + 1)

/** The object whose time a number is; undefined where it is none. */
function timeHolder(line: unknown, { pointer, source }: InexactNumber): object | undefined {
  const isTime = timePlace.test(pointer) && isTimeName(nameIn(pointer))
  if (!isTime || !isUsableTime(source)) return undefined
  let holder = line
  for (const name of pointer.split('/').slice(1, -1))
    holder = typeof holder === 'object' && holder !== null ? Reflect.get(holder, name) : undefined
  return typeof holder === 'object' && holder !== null ? holder : undefined
}
