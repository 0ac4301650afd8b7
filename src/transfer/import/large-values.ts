/** Replaces the largest texts of metadata that is larger than the service stores by markers. */
import { createHash } from 'node:crypto'
import type { Json } from '../formats/json-value.ts'

/** Bytes of one metadata object: the service's default of `limits.metadataBytesMax`. */
const metadataBytesMax = 16_384

/** A marker takes about a hundred bytes, so shorter texts stay. */
const markedBytesMin = 256

export type Fitted = { readonly value: Json; readonly omitted: number }

/**
 * Returns metadata of at most `bytesMax` bytes of JSON, and the number of values that became markers:
 * first texts, the largest one first; then, if many small values are too large together, whole members.
 * A marker has the size and the SHA-256 of the value, so the value can be found in the file again.
 */
export function fitMetadata(metadata: Json, bytesMax = metadataBytesMax): Fitted {
  if (bytesOf(metadata) <= bytesMax) return { value: metadata, omitted: 0 }
  const texts = textsIn(metadata)
    .filter((text) => Buffer.byteLength(text) >= markedBytesMin)
    .toSorted((one, other) => other.length - one.length)
  const marked = new Set<string>()
  let value = metadata
  for (const text of texts) {
    if (bytesOf(value) <= bytesMax) break
    marked.add(text)
    value = mapTexts(metadata, (one) => (marked.has(one) ? markerOf(one) : one)) as Json
  }
  let omitted = textsIn(metadata).filter((text) => marked.has(text)).length
  // Members of the largest object go next, largest first.
  for (const [name, one] of membersBySize(value)) {
    if (bytesOf(value) <= bytesMax) break
    value = { ...value, [name]: markerOf(JSON.stringify(one)) }
    omitted += 1
  }
  return { value, omitted }
}

const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value))

const membersBySize = (value: Json): [string, unknown][] =>
  Object.entries(value).toSorted(([, one], [, other]) => bytesOf(other) - bytesOf(one))

const markerOf = (text: string): string =>
  `[omitted by the import: ${Buffer.byteLength(text)} bytes, SHA-256 ${createHash('sha256').update(text).digest('hex')}]`

function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : []
}

function mapTexts(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === 'string') return change(value)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((one: unknown) => mapTexts(one, change))
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [name, mapTexts(one, change)]),
  )
}
