/**
 * MemoryStore is a KV in the memory of this process, with bounds and expiry. When it is full, it
 * drops the least recently used partition as a whole, so that no list gets a gap.
 */
import { BoundedMap } from '../../src/mechanics/bounded-map.ts'
import type { Kv } from '../../src/ports/kv.ts'
import { changedValue } from './change.ts'
import { partitionOf, twoParts } from './key.ts'
import type { Change, Check, KeyRange, KvStore, Scanned, Stored } from './kv-store.ts'
import { createKv } from './shape.ts'
import { createStamps } from './versionstamp.ts'

export type MemoryOptions = {
  /** The most entries. @default 500,000 */
  readonly entriesMax?: number
  /** The most bytes of keys, values and the overhead of entries and partitions. @default 64 MiB */
  readonly bytesMax?: number
}

const forever = Number.POSITIVE_INFINITY

type Entry = Stored & { readonly dueAt: number }

/** The state of an entry after a commit. Without a value it is deleted. */
type Outcome = { readonly value: Uint8Array | undefined; readonly dueAt: number }

/** Measured bytes of an entry besides its key and value, and of a partition besides its entries. */
const entryOverhead = 200
const partitionOverhead = 700
/** The number of partitions in which each commit looks for expired entries. */
const sweepsPerCommit = 2

/** Opens an empty KV in the memory of this process. */
export const openMemory = (options: MemoryOptions = {}): Kv => createKv(new MemoryStore(options))

/** Entries whose keys share their first two parts. */
class Partition {
  readonly entries = new Map<string, Entry>()
  sorted: string[] = []
  bytes = partitionOverhead
  /** No entry of the partition expires before this time of `performance.now()`. */
  dueAt = forever
}

class MemoryStore implements KvStore {
  readonly #entriesMax: number
  readonly #bytesMax: number
  /**
   * The bounds are enforced at the end of each commit, so that no partition is dropped within one.
   */
  readonly #partitions = new BoundedMap<string, Partition>({
    max: forever,
    weigh: ({ bytes }) => bytes,
  })
  readonly #listeners = new Map<string, Set<() => void>>()
  readonly #stamp = createStamps()
  #entries = 0
  /** The position of the sweep, which goes through all partitions and then begins again. */
  #sweepPosition = this.#partitions[Symbol.iterator]()
  /** The partitions that the sweep has visited since it began with the first one. */
  #visits = 0

  constructor({ entriesMax = 500_000, bytesMax = 67_108_864 }: MemoryOptions) {
    this.#entriesMax = entriesMax
    this.#bytesMax = bytesMax
  }

  read(keys: readonly string[]): (Entry | undefined)[] {
    return keys.map((key) => this.#find(key))
  }

  scan({ from, until, reverse, limit }: KeyRange): Scanned {
    const found: Stored[] = []
    for (const name of this.#within(from, until, reverse)) {
      const partition = this.#partitions.use(name)
      if (partition === undefined) continue
      const { sorted, entries } = partition
      const [first, end] = [position(sorted, from), position(sorted, until)]
      for (let n = first; n < end; n++) {
        const entry = entries.get(sorted[reverse ? first + end - 1 - n : n] ?? '')
        if (entry === undefined || !isAlive(entry)) continue
        if (found.length === limit) return { entries: found, more: true }
        found.push(entry)
      }
    }
    return { entries: found, more: false }
  }

  commit(checks: readonly Check[], changes: readonly Change[]): string | undefined {
    for (const { key, versionstamp } of checks)
      if ((this.#find(key)?.versionstamp ?? null) !== versionstamp) return undefined
    const after = this.#outcomes(changes)
    const versionstamp = this.#stamp()
    for (const [key, outcome] of after) this.#put(key, outcome, versionstamp)
    this.#shed()
    for (const key of after.keys())
      for (const onChange of this.#listeners.get(key) ?? []) onChange()
    return versionstamp
  }

  listen(keys: readonly string[], onChange: () => void): () => void {
    const listeners = this.#listeners
    for (const key of keys) listeners.set(key, (listeners.get(key) ?? new Set()).add(onChange))
    onChange()
    return () => {
      for (const key of keys) {
        const rest = listeners.get(key)
        rest?.delete(onChange)
        if (rest?.size === 0) listeners.delete(key)
      }
    }
  }

  close(): void {
    this.#partitions.clear()
    this.#listeners.clear()
  }

  #find(key: string): Entry | undefined {
    const entry = this.#partitions.use(partitionOf(key))?.entries.get(key)
    return entry !== undefined && isAlive(entry) ? entry : undefined
  }

  /**
   * Computes the outcomes of all changes before anything is changed, because a change may be
   * refused.
   */
  #outcomes(changes: readonly Change[]): Map<string, Outcome> {
    const after = new Map<string, Outcome>()
    for (const change of changes) {
      const { key } = change
      const current = after.has(key) ? after.get(key)?.value : this.#find(key)?.value
      const value = changedValue(change, current)
      const expireIn = change.type === 'set' ? change.expireIn : undefined
      after.set(key, { value, dueAt: performance.now() + (expireIn ?? forever) })
    }
    return after
  }

  #put(key: string, { value, dueAt }: Outcome, versionstamp: string): void {
    const name = partitionOf(key)
    const existing = this.#partitions.use(name)
    if (existing === undefined && value === undefined) return
    const partition = existing ?? this.#add(name)
    const before = partition.entries.get(key)
    if (before !== undefined) this.#count(partition, before, -1)
    if (value === undefined) {
      if (before === undefined) return
      partition.entries.delete(key)
      partition.sorted.splice(position(partition.sorted, key), 1)
      if (partition.entries.size === 0) this.#partitions.delete(name)
      return
    }
    if (before === undefined) partition.sorted.splice(position(partition.sorted, key), 0, key)
    const entry = { key, value, versionstamp, dueAt }
    partition.entries.set(key, entry)
    partition.dueAt = Math.min(partition.dueAt, dueAt)
    this.#count(partition, entry, 1)
  }

  #add(name: string): Partition {
    const partition = new Partition()
    this.#partitions.set(name, partition)
    return partition
  }

  #count(partition: Partition, entry: Entry, sign: 1 | -1): void {
    const bytes = sign * (entry.key.length + entry.value.length + entryOverhead)
    partition.bytes += bytes
    this.#partitions.grow(bytes)
    this.#entries += sign
  }

  /** Drops expired entries of the next partitions, and then whole partitions above the bounds. */
  #shed(): void {
    for (let n = 0; n < sweepsPerCommit; n++) {
      const { value } = this.#sweepPosition.next()
      this.#visits += 1
      if (value !== undefined) this.#sweep(...value)
      // A partition that is used moves to the end, so without this bound a sweep might never end.
      if (value !== undefined && this.#visits <= this.#partitions.size) continue
      this.#sweepPosition = this.#partitions[Symbol.iterator]()
      this.#visits = 0
    }
    while (this.#entries > this.#entriesMax || this.#partitions.weight > this.#bytesMax) {
      const dropped = this.#partitions.dropOldest()
      if (dropped === undefined) return
      this.#entries -= dropped.entries.size
    }
  }

  #sweep(name: string, partition: Partition): void {
    if (partition.dueAt > performance.now()) return
    partition.dueAt = forever
    for (const entry of partition.entries.values()) {
      if (isAlive(entry)) partition.dueAt = Math.min(partition.dueAt, entry.dueAt)
      else {
        partition.entries.delete(entry.key)
        this.#count(partition, entry, -1)
      }
    }
    partition.sorted = partition.sorted.filter((key) => partition.entries.has(key))
    if (partition.entries.size === 0) this.#partitions.delete(name)
  }

  /** The partitions that can hold keys of the range, in order. Nearly always there is one. */
  #within(from: string, until: string, reverse: boolean): string[] {
    const only = twoParts(from)
    if (only !== undefined && until.startsWith(only)) return [only]
    const names = [...this.#partitions.keys()].filter((name) => touches(name, from, until))
    names.sort(bytewise)
    return reverse ? names.reverse() : names
  }
}

const isAlive = ({ dueAt }: Entry) => dueAt > performance.now()

/** Whether a partition can hold keys of the range. */
const touches = (name: string, from: string, until: string) =>
  name < until && (name >= from || from.startsWith(name))

const bytewise = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)

/** The index of `key` in the sorted list, or the index at which it would be inserted. */
function position(sorted: readonly string[], key: string): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((sorted[middle] ?? '') < key) low = middle + 1
    else high = middle
  }
  return low
}
