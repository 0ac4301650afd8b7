/** What a change makes of an entry: the same arithmetic for every store that has none of its own. */
import type { Change } from './kv-store.ts'
import { decodeCounter, encodeCounter, isCounter } from './value.ts'

/** The value after the change; `undefined` if there is none. Throws a TypeError and changes nothing. */
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

export const notACounter = (type: string) =>
  new TypeError(`Failed to perform '${type}' mutation on a non-U64 value in the database`)

const count = {
  sum: (a: bigint, b: bigint) => BigInt.asUintN(64, a + b),
  min: (a: bigint, b: bigint) => (a < b ? a : b),
  max: (a: bigint, b: bigint) => (a > b ? a : b),
}
