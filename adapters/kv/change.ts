/** The effect of a change on an entry: the arithmetic for every store that has none of its own. */
import type { Change } from './kv-store.ts'
import { decodeCounter, encodeCounter, isCounter } from './value.ts'

/**
 * Computes the value of an entry after a change.
 * @param current The encoded value before; undefined if there is no entry.
 * @returns The encoded value; undefined if there is no entry afterwards.
 * @throws TypeError The change needs a counter, and the value is none.
 */
export function changedValue(
  change: Change,
  current: Uint8Array | undefined,
): Uint8Array | undefined {
  if (change.type === 'set') return change.value
  if (change.type === 'delete') return undefined
  if (current === undefined) return encodeCounter(change.operand)
  if (!isCounter(current)) throw notACounter(change.type)
  return encodeCounter(count[change.type](decodeCounter(current), change.operand))
}

/** The error for a `sum`, `min` or `max` of an entry that is not a counter, in Deno's words. */
export const notACounter = (type: string) =>
  new TypeError(`Failed to perform '${type}' mutation on a non-U64 value in the database`)

const count = {
  sum: (a: bigint, b: bigint) => BigInt.asUintN(64, a + b),
  min: (a: bigint, b: bigint) => (a < b ? a : b),
  max: (a: bigint, b: bigint) => (a > b ? a : b),
}
