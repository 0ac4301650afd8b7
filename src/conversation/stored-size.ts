/** How large JSON of a caller is once it is stored. */
import { Buffer } from 'node:buffer'

/** A number with an exponent in what `JSON.stringify` prints; the other branch takes strings out of the way. */
const exponents = /"[^"\\]*(?:\\.[^"\\]*)*"|\d(?:\.(\d+))?e([+-])(\d+)/g

/**
 * The bytes of a printed JSON text as Postgres prints it again: a `jsonb` keeps 1e+300 as 301 digits,
 * so a trace of 64 KiB came back as 3.3 MB at every read.
 */
export function storedBytes(text: string): number {
  let bytes = Buffer.byteLength(text)
  if (!/\de[+-]\d/.test(text)) return bytes
  for (const [literal, fraction = '', sign, exponent] of text.matchAll(exponents)) {
    if (exponent === undefined) continue
    const power = Number(exponent)
    // 1.5e+21 has as many zeros behind it, and 1.5e-7 as many before it.
    const digits = sign === '+' ? power + 1 : '0.'.length + power + fraction.length
    bytes += digits - literal.length
  }
  return bytes
}
