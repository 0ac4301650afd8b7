/**
 * The encoding of keys as bytes. It is Deno's own (FoundationDB's tuples). The bytes are in a
 * string with one character for each byte. `<` compares such strings in the order of their keys,
 * and a Map can use them. No encoded part begins with a byte 0, so a store may end a key with a
 * byte 0.
 */
import { Buffer } from 'node:buffer'
import type { KvKey, KvKeyPart } from '../../src/ports/kv.ts'

const bytesTag = '\x01'
const textTag = '\x02'
const zeroTag = 0x14
const numberTag = '\x21'
const falseTag = '\x26'
const trueTag = '\x27'
/** A bigint of more than eight bytes begins with one of these tags, followed by its length. */
const longestTag = 0x1d
const longestNegativeTag = 0x0b

const utf8 = new TextEncoder()
const text = new TextDecoder('utf-8', { ignoreBOM: true })
const double = new DataView(new ArrayBuffer(8))

/**
 * Appended to an encoded key, it gives a bound above that key and below every longer key that
 * begins with it.
 */
export const goesOn = '\x01'
/**
 * Appended to an encoded key, it gives a bound above every longer key that begins with it: no part
 * begins with this character.
 */
export const ends = '\x28'

/** Encodes a key. Throws a TypeError for a part that the port does not name. */
export const encodeKey = (key: KvKey): string => {
  if (!Array.isArray(key)) throw new TypeError('A key is an array of parts')
  let encoded = ''
  for (const part of key) encoded += encodePart(part)
  return encoded
}

function encodePart(part: KvKeyPart): string {
  switch (typeof part) {
    case 'string':
      return `${textTag}${escaped(utf8Of(part))}\0`
    case 'number':
      return numberTag + encodeNumber(part)
    case 'bigint':
      return encodeBigint(part)
    case 'boolean':
      return part ? trueTag : falseTag
    default:
      if (part instanceof Uint8Array) return `${bytesTag}${escaped(binary(part))}\0`
      throw new TypeError('A key part is a Uint8Array, string, number, bigint or boolean')
  }
}

const utf8Of = (part: string) => (isAscii(part) ? part : binary(utf8.encode(part)))

const isAscii = (part: string) => {
  for (let at = 0; at < part.length; at++) if (part.charCodeAt(at) > 127) return false
  return true
}

const escaped = (bytes: string) => (bytes.includes('\0') ? bytes.replaceAll('\0', '\0\xff') : bytes)

/** Converts bytes to a string with one character for each. */
export const binary = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')

/**
 * Sets the sign bit of positive numbers and flips all bits of negative ones, so that the bytes
 * sort.
 */
function encodeNumber(value: number): string {
  double.setFloat64(0, Number.isNaN(value) ? Number.NaN : value)
  const high = double.getUint32(0)
  const flip = high >>> 31 === 1 ? 0xffffffff : 0
  double.setUint32(0, flip === 0 ? high | 0x80000000 : ~high)
  double.setUint32(4, double.getUint32(4) ^ flip)
  return binary(new Uint8Array(double.buffer))
}

function decodeNumber(bytes: string): number {
  for (let at = 0; at < 8; at++) double.setUint8(at, bytes.charCodeAt(at))
  const high = double.getUint32(0)
  const flip = high >>> 31 === 1 ? 0 : 0xffffffff
  double.setUint32(0, flip === 0 ? high & 0x7fffffff : ~high)
  double.setUint32(4, double.getUint32(4) ^ flip)
  return double.getFloat64(0)
}

function encodeBigint(value: bigint): string {
  if (value === 0n) return String.fromCharCode(zeroTag)
  const isNegative = value < 0n
  const digits = (isNegative ? -value : value).toString(16)
  const magnitude = Buffer.from(digits.padStart(digits.length + (digits.length % 2), '0'), 'hex')
  const { length } = magnitude
  if (length > 255) throw new TypeError('A bigint in a key has 255 bytes at most')
  if (isNegative) for (let at = 0; at < length; at++) magnitude[at] = ~(magnitude[at] ?? 0)
  const head =
    length <= 8
      ? [zeroTag + (isNegative ? -length : length)]
      : isNegative
        ? [longestNegativeTag, 255 - length]
        : [longestTag, length]
  return String.fromCharCode(...head) + magnitude.toString('latin1')
}

function decodeBigint(bytes: string, isNegative: boolean): bigint {
  const magnitude = Buffer.from(bytes, 'latin1')
  if (isNegative)
    for (let at = 0; at < magnitude.length; at++) magnitude[at] = ~(magnitude[at] ?? 0)
  const value = BigInt(`0x${magnitude.toString('hex')}`)
  return isNegative ? -value : value
}

/** The index after the part that begins at `at`; -1 if the part is not complete. */
function partEnd(encoded: string, at: number): number {
  const end = endOf(encoded, at, encoded.charCodeAt(at))
  return end > encoded.length ? -1 : end
}

function endOf(encoded: string, at: number, tag: number): number {
  if (tag === 1 || tag === 2) {
    let end = encoded.indexOf('\0', at)
    while (end >= 0 && encoded.charCodeAt(end + 1) === 255) end = encoded.indexOf('\0', end + 2)
    return end < 0 ? -1 : end + 1
  }
  if (tag === 0x21) return at + 9
  if (tag === 0x26 || tag === 0x27) return at + 1
  if (tag === longestTag) return at + 2 + encoded.charCodeAt(at + 1)
  if (tag === longestNegativeTag) return at + 2 + 255 - encoded.charCodeAt(at + 1)
  return Math.abs(tag - zeroTag) <= 8 ? at + 1 + Math.abs(tag - zeroTag) : -1
}

function decodePart(encoded: string, at: number, end: number): KvKeyPart {
  const tag = encoded.charCodeAt(at)
  if (tag === 1 || tag === 2) {
    const bytes = encoded.slice(at + 1, end - 1).replaceAll('\0\xff', '\0')
    if (tag === 2 && isAscii(bytes)) return bytes
    const raw = Buffer.from(bytes, 'latin1')
    return tag === 2 ? text.decode(raw) : new Uint8Array(raw)
  }
  if (tag === 0x21) return decodeNumber(encoded.slice(at + 1, end))
  if (tag === 0x26 || tag === 0x27) return tag === 0x27
  if (tag === zeroTag) return 0n
  const isLong = tag === longestTag || tag === longestNegativeTag
  return decodeBigint(encoded.slice(at + (isLong ? 2 : 1), end), tag < zeroTag)
}

/** Decodes an encoded key. */
export function decodeKey(encoded: string): KvKeyPart[] {
  const parts: KvKeyPart[] = []
  decodeFrom(encoded, 0, parts)
  return parts
}

function decodeFrom(encoded: string, from: number, parts: KvKeyPart[]): void {
  for (let at = from; at < encoded.length; ) {
    const end = partEnd(encoded, at)
    parts.push(decodePart(encoded, at, end))
    at = end
  }
}

/**
 * Makes a decoder for keys in order. It decodes a partition that two keys in a row share only once.
 */
export function keyDecoder(): (encoded: string) => KvKeyPart[] {
  let partition: string | undefined
  let decoded: readonly KvKeyPart[] = []
  return (encoded) => {
    // A following byte 255 would belong to the last part of the partition.
    const isSame =
      partition !== undefined &&
      encoded.startsWith(partition) &&
      encoded.charCodeAt(partition.length) !== 255
    if (!isSame) {
      partition = partitionOf(encoded)
      decoded = decodeKey(partition)
    }
    const parts = decoded.slice()
    decodeFrom(encoded, partition?.length ?? 0, parts)
    return parts
  }
}

/** The index of the byte 0 that follows the encoded key at `from`. More bytes may follow it. */
export function keyEnd(followed: string, from: number): number {
  let at = from
  while (at >= 0 && followed.charCodeAt(at) !== 0) at = partEnd(followed, at)
  if (at < 0) throw new TypeError('What was read is no entry')
  return at
}

/** The first two encoded parts of a key or of a bound; undefined if it has fewer complete parts. */
export function twoParts(encoded: string): string | undefined {
  const first = partEnd(encoded, 0)
  const second = first < 0 ? -1 : partEnd(encoded, first)
  return second < 0 ? undefined : encoded.slice(0, second)
}

/** The partition of an encoded key: its first two parts, or its only part. */
export const partitionOf = (encoded: string): string => twoParts(encoded) ?? encoded
