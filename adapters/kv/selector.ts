/** Turns the selector and the options of a list into a range of encoded keys. */
import { Buffer } from 'node:buffer'
import type { KvKey, KvListOptions, KvListSelector } from '../../src/ports/kv.ts'
import { binary, encodeKey, ends, goesOn } from './key.ts'
import { checkBatch, checkConsistency, checkListLimit, checkReadKey } from './limits.ts'

export type Selected = {
  readonly from: string
  readonly until: string
  readonly reverse: boolean
  /** The most entries in all; it may be infinite. */
  readonly limit: number
  /** The most entries of one fetch. */
  readonly batchSize: number
}

const defaultBatch = 100

/**
 * Checks a selector and its options.
 * @throws TypeError One of them is wrong.
 */
export function select(selector: KvListSelector, options: KvListOptions = {}): Selected {
  checkConsistency(options.consistency)
  const limit = checkListLimit(options.limit)
  const batchSize = checkBatch(options.batchSize ?? Math.min(limit, defaultBatch))
  const reverse = options.reverse ?? false
  const range = rangeOf(selector)
  return { ...behind(range, options.cursor, reverse), reverse, limit, batchSize }
}

type Bounds = { readonly from: string; readonly until: string }

function rangeOf(selector: { prefix?: KvKey; start?: KvKey; end?: KvKey }): Bounds {
  const prefix = encoded(selector.prefix)
  const start = encoded(selector.start)
  const end = encoded(selector.end)
  if (prefix === undefined) {
    if (start === undefined || end === undefined) {
      throw new TypeError("Selector must specify either 'prefix' or both 'start' and 'end' key")
    }
    if (start > end) throw new TypeError('Start key is greater than end key')
    return { from: start, until: end }
  }
  if (start !== undefined && end !== undefined) {
    throw new TypeError(
      "Selector can not specify both 'start' and 'end' key when specifying 'prefix'",
    )
  }
  for (const [name, bound] of [['Start', start] as const, ['End', end] as const]) {
    if (bound !== undefined && !(bound.startsWith(prefix) && bound.length > prefix.length)) {
      throw new TypeError(`${name} key is not in the keyspace defined by prefix`)
    }
  }
  return { from: start ?? prefix + goesOn, until: end ?? prefix + ends }
}

const encoded = (key: KvKey | undefined) =>
  key === undefined ? undefined : checkReadKey(encodeKey(key))

/** The cursor of an encoded key. */
export const cursorOf = (key: string) => Buffer.from(key, 'latin1').toString('base64url')

/** The part of the range that follows the cursor, in the list's direction. */
function behind(range: Bounds, cursor: string | undefined, reverse: boolean): Bounds {
  if (cursor === undefined || cursor === '') return range
  if (!/^[\w-]+$/.test(cursor)) throw new TypeError('invalid cursor')
  const last = binary(Buffer.from(cursor, 'base64url'))
  const next = reverse ? last : last + goesOn
  // A cursor of another list must not widen the range.
  if (reverse) return next < range.until ? { ...range, until: next } : range
  return next > range.from ? { ...range, from: next } : range
}
