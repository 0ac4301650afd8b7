/** What of a line's values the service cannot keep as it came, each with its JSON Pointer. */
import { escapePointer, isStorable } from '../conversation/shape.ts'
import { type ExactJson, inexactness } from './exact-json.ts'
import { isTimeName } from './message-times.ts'
import { LineProblem } from './steps.ts'
import { timeOfNumber } from './time-forms.ts'

/** The setting `limits.jsonDepthMax` allows no more, and a member of a line is nested in others. */
const depthMax = 512

/** More places than this are not named. */
const placesMax = 3

/** Where times are read: members of a line and of its messages, and of the metadata of both. */
const timePlace = /^(?:(?:\/body)?\/(?:messages|input|output|turns)\/\d+)?(?:\/metadata)?\/([^/]+)$/

export type ValueOptions = {
  /** A member of the line whose number is taken by its text. */
  readonly idMember: string | undefined
  /** Whether the format has times as libraries write them. */
  readonly hasTimes: boolean
}

/**
 * Throws a `LineProblem` that names NUL, lone surrogates and numbers that JavaScript cannot hold. A
 * time in nanoseconds that is no exact number becomes the text of its digits: answers how many did.
 */
export function checkValues(
  json: ExactJson,
  text: string,
  { idMember, hasTimes }: ValueOptions,
): number {
  if (nestsDeeper(json.value, depthMax))
    throw new LineProblem(`nests deeper than ${depthMax} levels`)
  if (!json.hasInexact && !/\\u(?:0000|d[89a-f])/i.test(text)) return 0
  const found: string[] = []
  let digits = 0
  const walk = (value: unknown, pointer: string) => {
    if (typeof value === 'string' && !isStorable(value))
      found.push(`${pointer} holds NUL or a lone surrogate, which cannot be stored`)
    if (typeof value !== 'object' || value === null) return
    for (const [name, item] of Object.entries(value)) {
      const place = `${pointer}/${escapePointer(name)}`
      if (!isStorable(name)) found.push(`${pointer} has a member whose name cannot be stored`)
      if (typeof item !== 'number') walk(item, place)
      else if (place !== `/${idMember}`) checkNumber(value, name, item, place)
    }
  }
  const checkNumber = (holder: object, name: string, value: number, place: string) => {
    const source = json.numberText(holder, name)
    const reason = inexactness(source, value)
    if (reason === undefined) return
    const isTime = hasTimes && timePlace.test(place) && isTimeName(name)
    if (isTime && timeOfNumber(source) !== undefined) {
      Object.assign(holder, { [name]: source })
      digits += 1
    } else found.push(`${place}: ${reason}`)
  }
  walk(json.value, '')
  const places = found.slice(0, placesMax).map((one) => one.toWellFormed())
  const more = found.length > placesMax ? [`and ${found.length - placesMax} more`] : []
  if (places.length > 0) throw new LineProblem([...places, ...more].join('; '))
  return digits
}

function nestsDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((item) => nestsDeeper(item, levels - 1))
}
