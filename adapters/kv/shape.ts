/**
 * Makes the port of a store: Deno's limits, selectors, cursors, values and watches for every
 * adapter.
 */
import {
  type Kv,
  type KvEntry,
  type KvEntryMaybe,
  KvError,
  type KvKey,
  type KvListIterator,
} from '../../src/ports/kv.ts'
import { createAtomic } from './atomic.ts'
import { encodeKey, goesOn, keyDecoder } from './key.ts'
import type { KvStore, Stored } from './kv-store.ts'
import { checkConsistency, checkReadCount, checkReadKey } from './limits.ts'
import { cursorOf, type Selected, select } from './selector.ts'
import { decodeValue } from './value.ts'
import { createWatches } from './watch.ts'

/** Makes a `Kv` of the five functions of a store. */
export function createKv(store: KvStore): Kv {
  const watches = createWatches(store)
  let isClosed = false

  const alive = () => {
    if (isClosed) throw new KvError('not-sent', 'This key-value store was closed here')
    return store
  }
  const read = async <T extends readonly unknown[]>(keys: readonly KvKey[]) => {
    const encoded = keys.map((key) => checkReadKey(encodeKey(key)))
    const entries = encoded.length === 0 ? [] : await alive().read(encoded)
    return rowOf(keys, entries) as { [K in keyof T]: KvEntryMaybe<T[K]> }
  }
  const atomic = () =>
    createAtomic(async (checks, changes) => await alive().commit(checks, changes))
  const close = () => {
    if (isClosed) return
    isClosed = true
    watches.close()
    store.close()
  }

  return {
    async get<T>(key: KvKey, options: { consistency?: string } = {}) {
      checkConsistency(options.consistency)
      const [entry] = await read<[T]>([key])
      return entry
    },
    async getMany<T extends readonly unknown[]>(
      keys: readonly [...{ [K in keyof T]: KvKey }],
      options: { consistency?: string } = {},
    ) {
      checkConsistency(options.consistency)
      checkReadCount(keys, 'ranges')
      return await read<T>(keys)
    },
    async set(key, value, options) {
      const result = await atomic().set(key, value, options).commit()
      if (!result.ok) throw new KvError('refused', 'A commit without checks was refused')
      return result
    },
    async delete(key) {
      await atomic().delete(key).commit()
    },
    list: <T>(...[selector, options]: Parameters<Kv['list']>) =>
      listIterator<T>(alive, select(selector, options)),
    atomic,
    watch<T extends readonly unknown[]>(keys: readonly [...{ [K in keyof T]: KvKey }]) {
      checkReadCount(keys, 'keys')
      const encoded = keys.map((key) => checkReadKey(encodeKey(key)))
      alive()
      return watches.open(
        encoded,
        (entries) => rowOf(keys, entries) as { [K in keyof T]: KvEntryMaybe<T[K]> },
      )
    },
    close,
    [Symbol.dispose]: close,
  }
}

function rowOf(keys: readonly KvKey[], entries: readonly (Stored | undefined)[]) {
  return keys.map((key, index): KvEntryMaybe<unknown> => {
    const entry = entries[index]
    return entry === undefined
      ? { key, value: null, versionstamp: null }
      : { key, value: decodeValue(entry.value), versionstamp: entry.versionstamp }
  })
}

function listIterator<T>(alive: () => KvStore, selected: Selected): KvListIterator<T> {
  const { reverse, batchSize } = selected
  let { from, until, limit } = selected
  let cursor: string | undefined
  const decodeKey = keyDecoder()

  async function* entries(): AsyncGenerator<KvEntry<T>, undefined, unknown> {
    for (let more = true; more && limit > 0 && from < until; ) {
      const count = Math.min(limit, batchSize)
      const scanned = await alive().scan({ from, until, reverse, limit: count })
      for (const { key, value, versionstamp } of scanned.entries) {
        cursor = key
        yield { key: decodeKey(key), value: decodeValue(value) as T, versionstamp }
      }
      const last = scanned.entries.at(-1)?.key
      more = scanned.more && last !== undefined
      limit -= scanned.entries.length
      if (last === undefined) continue
      if (reverse) until = last
      else from = last + goesOn
    }
    // A list that ended at its limit keeps its cursor, so that another list can continue it.
    if (limit > 0) cursor = ''
    return undefined
  }

  const iterator = entries()
  return {
    get cursor() {
      if (cursor === undefined) throw new Error('Cannot get cursor before first iteration')
      return cursorOf(cursor)
    },
    next: () => iterator.next(),
    return: () => iterator.return(undefined),
    [Symbol.asyncIterator]() {
      return this
    },
  }
}
