/** Finds values of a line that the service cannot store unchanged, each with its JSON Pointer. */
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

/** A line may nest as deep as `limits.jsonDepthMax` can be set to. */
export const tooDeep = (): LineProblem =>
  new LineProblem(`nests deeper than ${jsonBounds.levels} levels`)

/** The maximum of places that a message names, and of characters of each. */
const placesMax = 3
const placeCharactersMax = 200

/** Places of times: members of a line, of its messages, and of the metadata of either. */
const timePlace = /^(?:(?:\/body)?\/(?:messages|input|output|turns)\/\d+)?(?:\/metadata)?\/[^/]+$/

export type ValueOptions = {
  /** The member that holds the line's id, if it has one: an id is read from the text, so it may be long. */
  readonly idMember: string | undefined
  /** Whether the format is one of other libraries, which may write times in nanoseconds. */
  readonly hasTimes: boolean
}

/**
 * Throws a `LineProblem` that names NUL, lone surrogates and numbers that JavaScript cannot hold. A
 * time in nanoseconds that a double cannot hold is replaced, in the value, by a string of its digits.
 * Returns how many were replaced.
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

/** The object that holds the number, if the number is a time; else undefined. */
function timeHolder(line: unknown, { pointer, source }: InexactNumber): object | undefined {
  const isTime = timePlace.test(pointer) && isTimeName(nameIn(pointer))
  if (!isTime || !isUsableTime(source)) return undefined
  let holder = line
  for (const name of pointer.split('/').slice(1, -1))
    holder = typeof holder === 'object' && holder !== null ? Reflect.get(holder, name) : undefined
  return typeof holder === 'object' && holder !== null ? holder : undefined
}
