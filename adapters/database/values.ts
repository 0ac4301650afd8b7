/**
 * How values travel to and from Postgres, once for every adapter, so that a domain tested on one
 * behaves the same on the other. Parameters go as text and Postgres converts them: the SDKs' own
 * conversions would stringify JSON twice, cut microseconds and make one statement many.
 */
import type { Param } from '../../src/ports/database.ts'

type Parser = (text: string) => unknown

const asIs: Parser = (text) => text

/** Parser per type OID (pg_type); a type that is not listed stays text. */
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
  // Listed only because both SDKs would make something else of them.
  17: asIs, // bytea
  1082: asIs, // date
  1114: asIs, // timestamp
  1184: asIs, // timestamptz
}

/** A parameter as the text Postgres reads; JSON is text already. */
export function paramText(param: Param): string | null {
  if (param === null) return null
  if (typeof param === 'object') return textArray(param)
  // The types rule it out; a string "undefined" in a row would be worse than a failed statement.
  if (param === undefined) throw new TypeError('A parameter is undefined')
  return String(param)
}

/** A Postgres array literal. Every item is quoted, so that no text can be mistaken for syntax. */
export function textArray(items: readonly (string | null)[]): string {
  const literal = items.map((item) =>
    item === null ? 'NULL' : `"${item.replace(/[\\"]/g, '\\$&')}"`,
  )
  return `{${literal.join(',')}}`
}

/** Reads a one-dimensional array literal as Postgres writes it. */
export function parseTextArray(text: string): (string | null)[] {
  const items: (string | null)[] = []
  // Bounds other than 1 stand before the brace: [2:3]={a,b}
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
