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

/**
 * Throws a `LineProblem` that names NUL, lone surrogates and numbers that JavaScript cannot hold.
 * `idMember` is a member of the line whose number is taken by its text. A time in nanoseconds that
 * is no exact number becomes the text of its digits.
 */
export function checkValues(json: ExactJson, text: string, idMember: string | undefined): void {
  if (nestsDeeper(json.value, depthMax))
    throw new LineProblem(`nests deeper than ${depthMax} levels`)
  if (!json.hasInexact && !/\\u(?:0000|d[89a-f])/i.test(text)) return
  const found: string[] = []
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
    if (isTimeName(name) && timeOfNumber(source) !== undefined)
      Object.assign(holder, { [name]: source })
    else found.push(`${place}: ${reason}`)
  }
  walk(json.value, '')
  const places = found.slice(0, placesMax).map((one) => one.toWellFormed())
  const more = found.length > placesMax ? [`and ${found.length - placesMax} more`] : []
  if (places.length > 0) throw new LineProblem([...places, ...more].join('; '))
}

function nestsDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((item) => nestsDeeper(item, levels - 1))
}
