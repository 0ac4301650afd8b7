/**
 * The store on Redis: each call is one script and one round trip. `redis-scripts.ts` has the
 * layout.
 */
import { KvError } from '../../../src/ports/kv.ts'
import { notACounter } from '../change.ts'
import { keyEnd, partitionOf, twoParts } from '../key.ts'
import type { Change, KeyRange, KvStore, Stored } from '../kv-store.ts'
import { encodeCounter } from '../value.ts'
import { createStamps, randomDigits } from '../versionstamp.ts'
import type { Carrier } from './redis-carrier.ts'
import { type List, packFrame, unpackList } from './redis-frames.ts'
import type { Listeners } from './redis-listeners.ts'
import { commitScript, readScript, scanScript } from './redis-scripts.ts'

/** Bytes after a value: its versionstamp, and then the time at which it expires. */
const stampBytes = 20
const trailerBytes = stampBytes + 6

export function redisStore(carrier: Carrier, listeners: Listeners, namespace: string): KvStore {
  const stamp = createStamps()
  const keyOf = (partition: string) => redisKeyOf(namespace, partition)
  const publish = carrier.sharded ? 'SPUBLISH' : 'PUBLISH'

  /** Reads the entries of several partitions in one call. */
  const readTogether = async (groups: readonly Group[]) => {
    const names = groups.map(({ requests }) => requests.map(({ name }) => name))
    const keys = groups.map(({ partition }) => keyOf(partition))
    const found = unpackList(await carrier.run(readScript, keys, [packFrame(names)]))
    const requests = groups.flatMap((group) => group.requests)
    return requests.map(({ key, name, at }, index) => {
      const { start, end } = found.items[index] ?? nothing
      const entry = start === end ? undefined : entryOf(key, found, start + name.length, end)
      return { at, entry }
    })
  }

  return {
    async read(keys) {
      const groups = [...groupsOf(keys).values()]
      const found = carrier.sharded
        ? (await Promise.all(groups.map((group) => readTogether([group])))).flat()
        : await readTogether(groups)
      const entries: (Stored | undefined)[] = keys.map(() => undefined)
      for (const { at, entry } of found) entries[at] = entry
      return entries
    },
    async scan({ from, until, reverse, limit }: KeyRange) {
      const partition = rangePartition(from, until)
      const { length } = partition
      const range = [from.slice(length), until.slice(length), reverse ? 'r' : '', String(limit)]
      const list = unpackList(await carrier.run(scanScript, [keyOf(partition)], [packFrame(range)]))
      const [more = nothing, ...members] = list.items
      // One text for all keys: decoding each key by itself costs several times as much.
      const text = list.bytes.toString('latin1')
      const entries = members.map(({ start, end }) => {
        const nameEnd = keyEnd(text, start)
        return entryOf(partition + text.slice(start, nameEnd), list, nameEnd, end)
      })
      return { entries, more: more.start < more.end }
    },
    async commit(checks, changes) {
      const partition = commonPartition([...checks, ...changes].map(({ key }) => key))
      if (partition === undefined) return stamp()
      const nameOf = (key: string) => key.slice(partition.length)
      const frame = packFrame([
        checks.flatMap(({ key, versionstamp }) => [nameOf(key), versionstamp ?? '']),
        changes.flatMap((change) => [change.type, nameOf(change.key), ...argumentsOf(change)]),
      ])
      const args = [frame, randomDigits(), publish]
      const reply = await carrier.run(commitScript, [keyOf(partition)], args).catch(refusal)
      return reply.length === 0 ? undefined : reply.toString('latin1')
    },
    listen(keys, onChange) {
      const stops = [...groupsOf(keys).values()].map(({ partition, requests }) =>
        listeners.add(
          keyOf(partition),
          requests.map(({ name }) => name),
          onChange,
        ),
      )
      return () => {
        for (const stop of stops) stop()
      }
    },
    close() {
      listeners.close()
      carrier.close()
    },
  }
}

/** The Redis key of a partition, and its channel. */
export const redisKeyOf = (namespace: string, partition: string) =>
  `${namespace}:{${printable(partition)}}`

type KeyRequest = { readonly key: string; readonly name: string; readonly at: number }
type Group = { readonly partition: string; readonly requests: KeyRequest[] }

function groupsOf(keys: readonly string[]): Map<string, Group> {
  const groups = new Map<string, Group>()
  for (const [at, key] of keys.entries()) {
    const partition = partitionOf(key)
    const group = groups.get(partition) ?? { partition, requests: [] }
    groups.set(partition, group)
    group.requests.push({ key, name: key.slice(partition.length), at })
  }
  return groups
}

const nothing = { start: 0, end: 0 }

/**
 * Makes an entry of a member, which is a name, a byte 0, a value and the trailer. The versionstamp
 * may be kept for long, so it is decoded from its own bytes: a substring would keep the text of the
 * whole reply in memory.
 */
function entryOf(key: string, { bytes }: List, nameEnd: number, end: number): Stored {
  const valueEnd = end - trailerBytes
  const versionstamp = bytes.toString('latin1', valueEnd, valueEnd + stampBytes)
  return { key, value: bytes.subarray(nameEnd + 1, valueEnd), versionstamp }
}

function argumentsOf(change: Change): [string | Uint8Array, string] {
  if (change.type === 'delete') return ['', '']
  if (change.type !== 'set') return [encodeCounter(change.operand).subarray(1), '']
  return [change.value, change.expireIn === undefined ? '' : String(change.expireIn)]
}

function rangePartition(from: string, until: string): string {
  const partition = twoParts(from)
  if (partition === undefined || !until.startsWith(partition)) {
    throw new TypeError(
      'A list on Redis stays within one partition: its selector names the first two key parts',
    )
  }
  return partition
}

function commonPartition(keys: readonly string[]): string | undefined {
  const [partition, ...others] = new Set(keys.map(partitionOf))
  if (others.length > 0) {
    throw new TypeError(
      'A commit on Redis stays within one partition: its keys share their first two parts',
    )
  }
  return partition
}

function refusal(thrown: unknown): never {
  const kind = thrown instanceof KvError ? /NOTCOUNTER (\w+)/.exec(thrown.message)?.[1] : undefined
  throw kind === undefined ? thrown : notACounter(kind)
}

/** Escapes bytes that are unreadable in a channel's name and in `redis-cli monitor`. */
const printable = (bytes: string) =>
  bytes.replace(/[^\w./:@-]/g, (byte) => escapes[byte.charCodeAt(0)] ?? '')

const escapes = Array.from({ length: 256 }, (_, byte) => `%${byte.toString(16).padStart(2, '0')}`)
