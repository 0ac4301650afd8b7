/** Ids that the client makes, so that a repeated request is the same request. */
import { Problem } from '../../problem-error.ts'
import { hexOf } from './hex.ts'

/** A UUIDv7: the time in milliseconds, then random bits. New rows are side by side in their index. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  const now = Date.now()
  for (let n = 0; n < 6; n += 1) bytes[n] = Math.floor(now / 2 ** (8 * (5 - n))) % 256
  bytes[6] = 0x70 | ((bytes[6] ?? 0) & 0x0f)
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f)
  const hex = hexOf(bytes)
  return [0, 8, 12, 16, 20].map((from, n, starts) => hex.slice(from, starts[n + 1])).join('-')
}

const uuid = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i

/** The canonical form of a conversation's id. Throws `id-invalid`. */
export function checkedId(id: string): string {
  // The type is checked, because the pattern would also accept a list with one id.
  if (typeof id === 'string' && uuid.test(id)) return id.toLowerCase()
  throw new Problem('id-invalid')
}
