/**
 * Conversions of values to and from Postgres, the same for every adapter, so that a domain that was
 * tested on one adapter behaves the same on another. Parameters are sent as text, and Postgres
 * converts them. The drivers' own conversions would stringify JSON twice, cut off microseconds and
 * turn one statement into many.
 */
import type { Param } from '../../src/ports/database.ts'

type Parser = (text: string) => unknown

const asIs: Parser = (text) => text

/** The parser of each type, by its OID in pg_type. Values of other types stay text. */
export const valueParsers: Readonly<Record<number, Parser>> = {
  16: (text) => text === 't', // bool
  20: Number, // int8
  21: Number, // int2
  23: Number, // int4
  26: Number, // oid
  700: Number, // float4
  701: Number, // float8
  114: JSON.parse, // json
  3802: JSON.parse, // jsonb
  1009: parseTextArray, // text[]
  1015: parseTextArray, // varchar[]
  2951: parseTextArray, // uuid[]
  1007: (text) => parseTextArray(text).map((item) => (item === null ? null : Number(item))), // int4[]
  1016: (text) => parseTextArray(text).map((item) => (item === null ? null : Number(item))), // int8[]
  // These are listed only because both drivers would convert them.
  17: asIs, // bytea
  1082: asIs, // date
  1114: asIs, // timestamp
  1184: asIs, // timestamptz
}

/** A parameter as the text that Postgres reads. A JSON parameter is text already. */
export function paramText(param: Param): string | null {
  if (param === null) return null
  if (typeof param === 'object') return textArray(param)
  // The types forbid undefined. If it happens, a failed statement is better than "undefined" in a
  // row.
  if (param === undefined) throw new TypeError('A parameter is undefined')
  return String(param)
}

/**
 * The Postgres literal of an array. It quotes every item, so that no text can be read as syntax.
 */
export function textArray(items: readonly (string | null)[]): string {
  const literal = items.map((item) =>
    item === null ? 'NULL' : `"${item.replace(/[\\"]/g, '\\$&')}"`,
  )
  return `{${literal.join(',')}}`
}

/** Parses an array literal of one dimension, as Postgres writes it. */
export function parseTextArray(text: string): (string | null)[] {
  const items: (string | null)[] = []
  // An array that does not start at 1 has its bounds before the brace: [2:3]={a,b}
  let at = text.indexOf('{') + 1
  if (text[at] === '}') return items
  while (at < text.length) {
    if (text[at] === '{') throw new TypeError('An array has more than one dimension')
    let from = at
    if (text[at] === '"') {
      let item = ''
      from = ++at
      for (; at < text.length && text[at] !== '"'; at++) {
        if (text[at] !== '\\') continue
        item += text.slice(from, at)
        from = ++at
      }
      items.push(item + text.slice(from, at++))
    } else {
      while (at < text.length && text[at] !== ',' && text[at] !== '}') at++
      const item = text.slice(from, at)
      items.push(item === 'NULL' ? null : item)
    }
    at++
  }
  return items
}
