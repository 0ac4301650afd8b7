/**
 * Parses JSON from callers. Refuses a text that is not JSON, has too many values, or has numbers
 * that would be rounded.
 */
import { Problem, type ProblemCode, type Violation } from '../../problem.ts'
import { hasLongInteger, inexactNumbers } from './json/exact-numbers.ts'
import { hasTooMany, jsonBounds, nestsDeeper } from './json/json-scan.ts'
import { findSyntaxError } from './json/json-syntax.ts'
import { isOwnJson, pastDouble, refuse, violation } from './validation.ts'

/** The kind of text: the body of a request, or a frame of a socket. */
export type Carrier = 'body' | 'frame'

const codes = {
  body: { unreadable: 'body-not-json', tooLarge: 'body-too-large' },
  frame: { unreadable: 'frame-invalid', tooLarge: 'frame-too-large' },
} as const satisfies Record<Carrier, Record<string, ProblemCode>>

/**
 * The value of a JSON text. Fails with `body-not-json` or `frame-invalid`, which name the location,
 * and with `body-too-large` or `frame-too-large` if the text has more values than `jsonBounds`
 * allows.
 */
export function parseJson(text: string, carrier: Carrier): unknown {
  const { unreadable, tooLarge } = codes[carrier]
  if (hasTooMany(text))
    throw new Problem(
      tooLarge,
      `The ${carrier} has too many values. At most ${jsonBounds.values} are allowed, ${jsonBounds.names} of them with a name.`,
    )
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof RangeError)
      throw new Problem(unreadable, `The ${carrier} is nested too deeply to be read.`)
    throw new Problem(unreadable, findSyntaxError(text, carrier))
  }
}

/** The deepest nesting of a frame. A `record` frame has its turn one level deeper than a body. */
const frameLevels = jsonBounds.levels + 1

/**
 * Fails with `number-inexact` if metadata or a trace has an integer that would be rounded. Numbers
 * past the range of a double are Infinity in the parsed value, and the decoder refuses them. The
 * decoder also refuses nesting past `jsonBounds.levels`. Such a text is not searched here, because
 * the search recurses.
 */
export function refuseInexact(text: string): void {
  if (!hasLongInteger(text) || nestsDeeper(text, frameLevels)) return
  const found: Violation[] = []
  // The schema bounds the numbers of all other fields.
  for (const { pointer, isInfinite } of inexactNumbers(text))
    if (isOwnJson(pointer))
      found.push(
        violation(
          'number-inexact',
          pointer,
          isInfinite ? pastDouble : 'has more digits than a double can store. Send it as a string.',
        ),
      )
  refuse(found)
}
