/**
 * The encoding of values as bytes: one letter for the kind, then the payload. A Uint8Array is its
 * own payload, so that a value that was serialised before is neither parsed nor printed again.
 */
import { Buffer } from 'node:buffer'
import type { KvCounter } from '../../src/ports/kv.ts'

const bytesKind = 0x62 // b
const textKind = 0x74 // t: a string in UTF-8; JSON would escape the quotes of a JSON text again
const jsonKind = 0x6a // j
const markedKind = 0x6d // m: JSON with marks for the values that JSON lacks
const counterKind = 0x75 // u: eight bytes, most significant first

const utf8 = new TextEncoder()
const text = new TextDecoder('utf-8', { ignoreBOM: true })

/** Counter is the value that `sum`, `min` and `max` make. */
export class Counter implements KvCounter {
  readonly value: bigint
  constructor(value: bigint) {
    this.value = value
  }
}

/** Encodes a value. Throws a TypeError for a value that the port does not store. */
export function encodeValue(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return withKind(bytesKind, value)
  if (typeof value === 'string' && value.isWellFormed()) return encodeText(value)
  if (value instanceof Counter) return encodeCounter(value.value)
  const marks = { count: 0 }
  const marked = mark(value, marks, [])
  return withKind(marks.count === 0 ? jsonKind : markedKind, utf8.encode(JSON.stringify(marked)))
}

/**
 * Decodes a value. The caller owns the result: it is a view of a Buffer, which is a reply that
 * nothing else uses, and a copy of any other array. (JavaScriptCore keeps small arrays without an
 * ArrayBuffer; asking for it costs ten times as much as the copy.)
 */
export function decodeValue(bytes: Uint8Array): unknown {
  const payload = Buffer.isBuffer(bytes)
    ? new Uint8Array(bytes.buffer, bytes.byteOffset + 1, bytes.length - 1)
    : bytes.slice(1)
  switch (bytes[0]) {
    case bytesKind:
      return payload
    case textKind:
      return text.decode(payload)
    case jsonKind:
      return JSON.parse(text.decode(payload))
    case markedKind:
      return unmark(JSON.parse(text.decode(payload)))
    default:
      return new Counter(decodeCounter(bytes))
  }
}

/** Whether an encoded value is a counter. */
export const isCounter = (bytes: Uint8Array) => bytes[0] === counterKind

export function encodeCounter(value: bigint): Uint8Array {
  const bytes = new Uint8Array(9)
  bytes[0] = counterKind
  new DataView(bytes.buffer).setBigUint64(1, value)
  return bytes
}

export const decodeCounter = (bytes: Uint8Array): bigint =>
  new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(1)

/** The bytes of the payload, which the limits count. */
export const valueSize = (bytes: Uint8Array) => bytes.length - 1

function encodeText(value: string): Uint8Array {
  const bytes = new Uint8Array(Buffer.byteLength(value) + 1)
  bytes[0] = textKind
  utf8.encodeInto(value, bytes.subarray(1))
  return bytes
}

function withKind(kind: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(payload.length + 1)
  bytes[0] = kind
  bytes.set(payload, 1)
  return bytes
}

type Marks = { count: number }
type Json = null | boolean | number | string | Json[] | { [name: string]: Json }

/** A value that JSON lacks becomes an object with one member, whose name begins with this sign. */
const sign = '$'

function mark(value: unknown, marks: Marks, above: readonly object[]): Json {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'number':
      if (Number.isFinite(value) && !Object.is(value, -0)) return value
      return marked(marks, 'number', Object.is(value, -0) ? '-0' : String(value))
    case 'bigint':
      return marked(marks, 'bigint', String(value))
    case 'object':
      return value === null ? null : markObject(value, marks, above)
    default:
      throw unstorable(typeof value)
  }
}

function markObject(value: object, marks: Marks, above: readonly object[]): Json {
  if (value instanceof Date) {
    const time = value.getTime()
    return marked(marks, 'date', Number.isNaN(time) ? null : time)
  }
  if (value instanceof Uint8Array)
    return marked(marks, 'bytes', Buffer.from(value).toString('base64'))
  if (above.includes(value)) throw new TypeError('A value that contains itself cannot be stored')
  const within = [...above, value]
  if (Array.isArray(value)) return Array.from(value, (item) => mark(item, marks, within))
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) {
    throw unstorable(value.constructor?.name ?? 'an object of its own kind')
  }
  const members = Object.entries(value).map(([name, member]): [string, Json] => [
    name,
    mark(member, marks, within),
  ])
  // An object that looks like a mark becomes a mark with the list of its members.
  return members.some(([name]) => name.startsWith(sign))
    ? marked(marks, 'object', members)
    : Object.fromEntries(members)
}

function marked(marks: Marks, name: string, value: Json): Json {
  marks.count += 1
  return { [sign + name]: value }
}

const unstorable = (type: string) =>
  new TypeError(`A ${type} cannot be stored: values are JSON values, bigint, Date and Uint8Array`)

function unmark(json: Json): unknown {
  if (typeof json !== 'object' || json === null) return json
  if (Array.isArray(json)) return json.map(unmark)
  const [[name, value] = ['', null]] = Object.entries(json)
  const unmarked = name.startsWith(sign) ? unmarkers[name.slice(sign.length)] : undefined
  if (unmarked !== undefined) return unmarked(value)
  return Object.fromEntries(Object.entries(json).map(([each, member]) => [each, unmark(member)]))
}

const textOf = (json: Json) => (typeof json === 'string' ? json : '')

const unmarkers: Readonly<Record<string, (value: Json) => unknown>> = {
  number: (value) => Number(value),
  bigint: (value) => BigInt(textOf(value)),
  date: (value) => new Date(typeof value === 'number' ? value : Number.NaN),
  bytes: (value) => new Uint8Array(Buffer.from(textOf(value), 'base64')),
  object: (members) =>
    Object.fromEntries(
      (Array.isArray(members) ? members : []).map((member) => {
        const [name = '', value = null] = Array.isArray(member) ? member : []
        return [textOf(name), unmark(value)]
      }),
    ),
}
