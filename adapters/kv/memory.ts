/**
 * A key-value store in this process: bounded, expiring, gone with the process. When it is full, the
 * partition that was not touched for longest goes, whole, so that no list gets a hole.
 */
import type { Kv } from '../../src/ports/kv.ts'
import { changedValue } from './change.ts'
import { partitionOf, twoParts } from './key.ts'
import type { Change, Check, KeyRange, KvStore, Stored } from './kv-store.ts'
import { createKv } from './shape.ts'
import { createStamps } from './versionstamp.ts'

export type MemoryOptions = {
  readonly entriesMax?: number
  /** Bytes of keys and values, and what an entry costs beside them. */
  readonly bytesMax?: number
}

type Entry = Stored & { readonly dueAt: number }
type Partition = {
  readonly entries: Map<string, Entry>
  sorted: string[]
  bytes: number
  /** Before this nothing in it expires. */
  dueAt: number
}

/** Bytes an entry costs beside its key and value, and a partition beside its entries, as measured. */
const entryOverhead = 200
const partitionOverhead = 700
/** Partitions that each commit looks into for what has expired. */
const sweepsPerCommit = 2

export const openMemory = (options: MemoryOptions = {}): Kv => createKv(memoryStore(options))

function memoryStore({ entriesMax = 500_000, bytesMax = 67_108_864 }: MemoryOptions): KvStore {
  /** The one touched last stands last. */
  const partitions = new Map<string, Partition>()
  const listeners = new Map<string, Set<() => void>>()
  const stamp = createStamps()
  let touchedLast = ''
  let entries = 0
  let bytes = 0

  const count = (partition: Partition, entry: Entry, sign: 1 | -1) => {
    const size = sign * (entry.key.length + entry.value.length + entryOverhead)
    partition.bytes += size
    bytes += size
    entries += sign
  }
  const touch = (name: string) => {
    const partition = partitions.get(name)
    // One commit touches a partition many times over.
    if (partition === undefined || name === touchedLast) return partition
    touchedLast = name
    partitions.delete(name)
    partitions.set(name, partition)
    return partition
  }
  const drop = (name: string, partition: Partition) => {
    partitions.delete(name)
    bytes -= partition.bytes
    entries -= partition.entries.size
  }
  const add = (name: string) => {
    const made = { entries: new Map(), sorted: [], bytes: partitionOverhead, dueAt: forever }
    partitions.set(name, made)
    touchedLast = name
    bytes += partitionOverhead
    return made
  }
  const find = (key: string): Entry | undefined => {
    const entry = touch(partitionOf(key))?.entries.get(key)
    return entry !== undefined && isAlive(entry) ? entry : undefined
  }
  const put = (key: string, value: Uint8Array | undefined, dueAt: number, versionstamp: string) => {
    const name = partitionOf(key)
    const known = touch(name)
    if (known === undefined && value === undefined) return
    const partition = known ?? add(name)
    const before = partition.entries.get(key)
    if (before !== undefined) count(partition, before, -1)
    if (value === undefined) {
      if (before === undefined) return
      partition.entries.delete(key)
      partition.sorted.splice(position(partition.sorted, key), 1)
      if (partition.entries.size === 0) drop(name, partition)
      return
    }
    if (before === undefined) partition.sorted.splice(position(partition.sorted, key), 0, key)
    const entry = { key, value, versionstamp, dueAt }
    partition.entries.set(key, entry)
    partition.dueAt = Math.min(partition.dueAt, dueAt)
    count(partition, entry, 1)
  }
  const sweep = (name: string, partition: Partition) => {
    if (partition.dueAt > performance.now()) return
    partition.dueAt = forever
    for (const entry of partition.entries.values()) {
      if (isAlive(entry)) partition.dueAt = Math.min(partition.dueAt, entry.dueAt)
      else {
        partition.entries.delete(entry.key)
        count(partition, entry, -1)
      }
    }
    partition.sorted = partition.sorted.filter((key) => partition.entries.has(key))
    if (partition.entries.size === 0) drop(name, partition)
  }
  let round = partitions.entries()
  let visits = 0
  /** Sheds what has expired, in all partitions by turns, and what is over the bounds. */
  const shed = () => {
    for (let n = 0; n < sweepsPerCommit; n++) {
      const { value } = round.next()
      visits += 1
      if (value !== undefined) sweep(...value)
      // Those touched meanwhile stand behind, and would keep a round from ending.
      if (value !== undefined && visits <= partitions.size) continue
      round = partitions.entries()
      visits = 0
    }
    for (const [name, partition] of partitions) {
      if (entries <= entriesMax && bytes <= bytesMax) return
      drop(name, partition)
    }
  }
  /** The partitions that can hold keys of the range, in order: nearly always one. */
  const within = (from: string, until: string, reverse: boolean) => {
    const only = twoParts(from)
    if (only !== undefined && until.startsWith(only)) return [only]
    const names = [...partitions.keys()].filter((name) => touches(name, from, until))
    names.sort(bytewise)
    return reverse ? names.reverse() : names
  }

  return {
    read: (keys) => keys.map(find),
    scan({ from, until, reverse, limit }: KeyRange) {
      const found: Stored[] = []
      for (const name of within(from, until, reverse)) {
        const partition = touch(name)
        if (partition === undefined) continue
        const { sorted } = partition
        const [first, end] = [position(sorted, from), position(sorted, until)]
        for (let n = first; n < end; n++) {
          const entry = partition.entries.get(sorted[reverse ? first + end - 1 - n : n] ?? '')
          if (entry === undefined || !isAlive(entry)) continue
          if (found.length === limit) return { entries: found, more: true }
          found.push(entry)
        }
      }
      return { entries: found, more: false }
    },
    commit(checks: readonly Check[], changes: readonly Change[]) {
      const holds = ({ key, versionstamp }: Check) =>
        (find(key)?.versionstamp ?? null) === versionstamp
      if (!checks.every(holds)) return undefined
      // All is worked out before anything is changed: a change may be refused.
      const after = new Map<string, { value: Uint8Array | undefined; dueAt: number }>()
      for (const change of changes) {
        const { key } = change
        const current = after.has(key) ? after.get(key)?.value : find(key)?.value
        const value = changedValue(change, current)
        const expireIn = change.type === 'set' ? change.expireIn : undefined
        after.set(key, { value, dueAt: performance.now() + (expireIn ?? forever) })
      }
      const versionstamp = stamp()
      for (const [key, { value, dueAt }] of after) put(key, value, dueAt, versionstamp)
      shed()
      for (const key of after.keys()) for (const onChange of listeners.get(key) ?? []) onChange()
      return versionstamp
    },
    listen(keys, onChange) {
      for (const key of keys) {
        listeners.set(key, (listeners.get(key) ?? new Set()).add(onChange))
      }
      onChange()
      return () => {
        for (const key of keys) {
          const rest = listeners.get(key)
          rest?.delete(onChange)
          if (rest?.size === 0) listeners.delete(key)
        }
      }
    },
    close() {
      partitions.clear()
      listeners.clear()
    },
  }
}

const forever = Number.POSITIVE_INFINITY

const isAlive = ({ dueAt }: Entry) => dueAt > performance.now()

/** Whether a partition can hold keys of the range. */
const touches = (name: string, from: string, until: string) =>
  name < until && (name >= from || from.startsWith(name))

const bytewise = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)

/** Where `key` stands in the list, or would. */
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
