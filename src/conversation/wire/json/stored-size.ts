/** The size of JSON in the database, which prints numbers differently. */
import { Buffer } from 'node:buffer'
import { endOfString } from './json-scan.ts'

/** A number with an exponent as `JSON.stringify` prints it: its last digit before the point, and what follows. */
const exponents = /\d(?:\.(\d+))?e([+-])(\d+)/g

/**
 * The size in bytes that Postgres prints for a JSON text of `JSON.stringify`. A `jsonb` keeps 1e+300 as
 * 301 digits: without this, a trace of 64 KiB came back as 3.3 MB at every read.
 */
export function storedBytes(text: string): number {
  let bytes = Buffer.byteLength(text)
  if (!/\de[+-]\d/.test(text)) return bytes
  // A scan tells which matches are in strings: a regular expression that takes whole strings
  // remembers each of their escapes, which took 4 s for 1 MB of them.
  let string = nextString(text, 0)
  exponents.lastIndex = 0
  for (let match = exponents.exec(text); match !== null; match = exponents.exec(text)) {
    const [literal, fraction = '', sign, exponent] = match
    while (string.end < match.index) string = nextString(text, string.end + 1)
    if (string.start < match.index) {
      exponents.lastIndex = string.end
      continue
    }
    const power = Number(exponent)
    // 1.5e+21 has as many zeros behind it, and 1.5e-7 as many before it.
    const digits = sign === '+' ? power + 1 : '0.'.length + power + fraction.length
    bytes += digits - literal.length
  }
  return bytes
}

/** The first string at `from` or behind it, by its quotes. `from` is outside of strings. */
function nextString(text: string, from: number): { start: number; end: number } {
  const start = text.indexOf('"', from)
  const end = start === -1 ? -1 : endOfString(text, start)
  return end === -1
    ? { start: Number.POSITIVE_INFINITY, end: Number.POSITIVE_INFINITY }
    : { start, end }
}
