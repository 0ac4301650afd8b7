/** JSON texts of callers -> values: what cannot be read, is too much, or would not be kept is refused. */
import { Problem, type ProblemCode, type Violation } from '../problem.ts'
import { hasLongInteger, inexactNumbers } from './exact-numbers.ts'
import { findSyntaxError } from './json-syntax.ts'
import { beyondDouble, isOwnJson, refuse, violation } from './shape.ts'

/** What the text is: the body of a request, or a frame of a socket. */
export type Carrier = 'body' | 'frame'

const codes = {
  body: { unreadable: 'body-not-json', tooLarge: 'body-too-large' },
  frame: { unreadable: 'frame-invalid', tooLarge: 'frame-too-large' },
} as const satisfies Record<Carrier, Record<string, ProblemCode>>

/**
 * Most values (elements of arrays and members of objects) of one text, and most members with names
 * among them. What a text costs goes by them, and not by its bytes alone: 16 MiB of `[` took
 * `JSON.parse` 4 s, and each of many different names costs some 4 µs until it is sent to the database.
 */
export const jsonBounds = { values: 65_536, names: 16_384 }

/**
 * The value of a JSON text. Fails with `body-not-json` or `frame-invalid`, which name the place, and
 * with `body-too-large` or `frame-too-large` where there are more values than `jsonBounds` says.
 */
export function parseJson(text: string, carrier: Carrier): unknown {
  const { unreadable, tooLarge } = codes[carrier]
  if (hasTooMany(text))
    throw new Problem(
      tooLarge,
      `The ${carrier} may hold ${jsonBounds.values} values at most, ${jsonBounds.names} of them with a name.`,
    )
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof RangeError)
      throw new Problem(unreadable, `The ${carrier} is nested too deep to be read.`)
    throw new Problem(unreadable, findSyntaxError(text, carrier))
  }
}

/**
 * Fails with `number-inexact` where an integer in metadata or a trace would not be kept as it was sent.
 * What is beyond the range of a double is found without the text, by the decoder.
 */
export function refuseInexact(text: string): void {
  if (!hasLongInteger(text)) return
  const found: Violation[] = []
  // A number in any other field has bounds of its own.
  for (const { pointer, isInfinite } of inexactNumbers(text))
    if (isOwnJson(pointer))
      found.push(
        violation(
          'number-inexact',
          pointer,
          isInfinite ? beyondDouble : 'has more digits than a double keeps',
        ),
      )
  refuse(found)
}

const quote = 0x22
const comma = 0x2c
const colon = 0x3a
const openBracket = 0x5b
const backslash = 0x5c
const openBrace = 0x7b

/** Counts by what stands before each value, outside of strings; stops at once where it is too many. */
function hasTooMany(text: string): boolean {
  // A value takes two characters at least, a member with a name five.
  if (text.length <= 2 * jsonBounds.values && text.length <= 5 * jsonBounds.names) return false
  let values = 0
  let names = 0
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code === quote) {
      at = endOfString(text, at)
      if (at === -1) return false
    } else if (code === comma || code === openBracket || code === openBrace) {
      values += 1
      if (values > jsonBounds.values) return true
    } else if (code === colon) {
      names += 1
      if (names > jsonBounds.names) return true
    }
  }
  return false
}

/** Where the string that begins at `start` ends; -1 where it does not. */
function endOfString(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at !== -1; at = text.indexOf('"', at + 1)) {
    let escapes = at - 1
    while (text.charCodeAt(escapes) === backslash) escapes -= 1
    // An even number of backslashes escape each other.
    if ((at - escapes) % 2 === 1) return at
  }
  return -1
}
