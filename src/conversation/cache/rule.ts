/**
 * The rule that keeps a cached history from ever going back. It is pure: it decides what to write,
 * and `entries.ts` writes it only if the head is still the one that the decision was based on.
 *
 * A cached conversation is a head and a window: one entry for each of the newest messages. The head
 * has the version of the conversation and the size of each entry. A head without a window is a stub.
 *
 * After a commit, the writer extends the window if it ends just before that commit; otherwise it
 * replaces it by a stub. Only a reader makes a new window: from a snapshot, if the head has not
 * changed since before that snapshot. No snapshot older than a stub's version may replace the stub.
 *
 * In a KV that several nodes share, a write of the head is also a notification: the other nodes watch
 * the head, and learn of the new version.
 */
import { printMessage, wireNumber } from '../wire/message-text.ts'
import type { Commit } from '../writing/effects.ts'
import { appended, bytesOf, fitted, fittingCount, type Window, windowBounds } from './window.ts'

/**
 * The head of a cached conversation. The window holds the messages with the seqs `from` to `to`,
 * both included; a stub holds none. `sizes` is the size of each message in bytes, as four hexadecimal
 * digits. It is padded to a fixed length, so a head has the same size, and a turn the same cost, for
 * each window.
 */
export type Head = {
  /** The version of the messages' JSON format. A head with another number does not count as full. */
  readonly wire: number
  readonly version: number
  /** Whether the head has a window. It is false for a stub. */
  readonly full: boolean
  readonly from: number
  readonly to: number
  readonly sizes: string
}

export const isHead = (value: unknown): value is Head =>
  typeof value === 'object' && value !== null && 'version' in value && 'full' in value

/** Whether the head has a window that this release can read. */
export const isFull = (head: Head): boolean => head.full && head.wire === wireNumber

/**
 * The messages that one or more commits wrote: all versions after `afterVersion`, up to `version`.
 * `texts` has the last state of each message, by seq.
 */
export type CacheUpdate = {
  /** Undefined if not every commit up to `version` is known. */
  readonly afterVersion: number | undefined
  readonly version: number
  readonly texts: ReadonlyMap<number, Uint8Array>
}

/** Returns the update that one commit makes, with its messages as JSON. */
export const updateOf = ({ from, version, messages }: Commit): CacheUpdate => ({
  afterVersion: from,
  version,
  texts: new Map(messages.map((message) => [message.seq, printMessage(message)])),
})

/** The changes of one conversation's entries, to be made only if its head is still the same. */
export type CacheWrite = {
  readonly head: Head
  readonly texts: ReadonlyMap<number, Uint8Array>
  readonly droppedSeqs: readonly number[]
}

export type CacheRule = {
  /** Decides what to write after a commit; undefined if nothing. */
  apply(head: Head | undefined, update: CacheUpdate): CacheWrite | undefined
  /**
   * Decides what to write from a snapshot; undefined if nothing. The head must have been read before
   * the snapshot was taken.
   */
  fill(head: Head, snapshot: Window): CacheWrite | undefined
  /**
   * Returns the window of the newest messages, at most `countMax`, made of entries that were read
   * together with the head. Undefined if an entry is missing.
   */
  window(head: Head, newestFirst: readonly Entry[], countMax: number): Window | undefined
}

export type Entry = { readonly seq: number; readonly text: Uint8Array }

export const stubOf = (version: number): Head => ({
  wire: wireNumber,
  version,
  full: false,
  from: 1,
  to: 0,
  sizes: '',
})

/** Milliseconds that a stub is kept. It may expire early: the next reader writes a new one. */
const stubMs = 30_000

/** Milliseconds that a head is kept. */
export const headTtlMs = (isFull: boolean, ttlMs: number): number =>
  isFull ? ttlMs : Math.min(stubMs, ttlMs)

const fullHead = (
  { version, from, to }: Pick<Window, 'version' | 'from' | 'to'>,
  sizes: readonly number[],
): Head => ({
  wire: wireNumber,
  version,
  full: true,
  from,
  to,
  sizes: sizes
    .map(hexOf)
    .join('')
    .padEnd(windowBounds.messages * 4, '0'),
})

const bytesInHex = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** Four digits suffice: a message in a window has fewer than 65,536 bytes. */
const hexOf = (size: number): string => `${bytesInHex[size >> 8]}${bytesInHex[size & 0xff]}`

const digit = (code: number): number => (code < 0x3a ? code - 0x30 : code - 0x57)

function sizesOf({ from, to, sizes }: Head): number[] {
  const found: number[] = []
  for (let at = 0; at < (to - from + 1) * 4; at += 4) {
    let size = 0
    for (let n = 0; n < 4; n += 1) size = size * 16 + digit(sizes.charCodeAt(at + n))
    found.push(size)
  }
  return found
}

const between = (low: number, high: number): number[] =>
  Array.from({ length: Math.max(0, high - low + 1) }, (_, index) => low + index)

/** The seqs of all entries of the window, including entries that only another release can read. */
export const seqsOf = (head: Head): number[] => (head.full ? between(head.from, head.to) : [])

export const cacheRule: CacheRule = {
  apply(head, update) {
    const { version } = update
    const stub = {
      head: stubOf(version),
      texts: new Map(),
      droppedSeqs: head === undefined ? [] : seqsOf(head),
    }
    if (head === undefined) return stub
    if (head.version >= version) return undefined
    if (!isFull(head) || head.version !== update.afterVersion) return stub
    return extended(head, update) ?? stub
  },

  fill(head, snapshot) {
    if (snapshot.version < head.version) return undefined
    const { from, to, texts } = snapshot
    return {
      head: fullHead(
        snapshot,
        texts.map((text) => text.byteLength),
      ),
      texts: new Map(texts.map((text, index) => [from + index, text])),
      droppedSeqs: seqsOf(head).filter((seq) => seq < from || seq > to),
    }
  },

  window(head, newestFirst, countMax) {
    const { version, to } = head
    const count = Math.min(countMax, to - head.from + 1)
    const found = newestFirst.slice(0, count)
    const isWhole = found.length === count && found.every(({ seq }, index) => seq === to - index)
    if (!isWhole) return undefined
    const texts = found.map(({ text }) => text).reverse()
    return { version, from: to - count + 1, to, texts, bytes: bytesOf(texts) }
  },
}

/**
 * The rule for a KV that no other node sees. In a shared KV a stub wakes the followers at other
 * nodes; here it would wake none, so a commit writes nothing if the conversation has no head.
 * Readers do not need the stub either, because a reader writes a head before it takes its snapshot.
 * If a commit finds no head, each later snapshot contains the commit. If the head was there and was
 * lost, the reader's check of the head fails and its snapshot is not stored.
 */
export const loneRule: CacheRule = {
  ...cacheRule,
  apply: (head, update) => (head === undefined ? undefined : cacheRule.apply(head, update)),
}

/**
 * Returns the write that extends the window by the update's messages, or undefined if a seq is
 * missing between them.
 */
function extended(head: Head, { version, texts }: CacheUpdate): CacheWrite | undefined {
  const sizes = sizesOf(head)
  let to = head.to
  for (const seq of [...texts.keys()].sort((a, b) => a - b)) {
    const size = texts.get(seq)?.byteLength ?? 0
    if (seq > to + 1) return undefined
    if (seq === to + 1) {
      sizes.push(size)
      to = seq
    } else if (seq >= head.from) sizes[seq - head.from] = size
  }
  const count = fittingCount(sizes)
  const from = to - count + 1
  return {
    head: fullHead({ version, from, to }, sizes.slice(sizes.length - count)),
    texts: new Map([...texts].filter(([seq]) => seq >= from)),
    droppedSeqs: between(head.from, Math.min(head.to, from - 1)),
  }
}

/**
 * Applies an update to a window that this process keeps in its memory, besides the one in the KV.
 * Returns undefined unless the update begins exactly at the window's version and leaves no seq out.
 */
export function windowAfter(
  window: Window,
  { afterVersion, version, texts }: CacheUpdate,
): Window | undefined {
  if (afterVersion !== window.version) return undefined
  let current = window.texts
  const added: Uint8Array[] = []
  for (const seq of [...texts.keys()].sort((a, b) => a - b)) {
    const text = texts.get(seq)
    const next = window.to + added.length + 1
    if (seq > next || text === undefined) return undefined
    if (seq === next) added.push(text)
    else if (seq >= window.from) current = current.with(seq - window.from, text)
  }
  return current === window.texts
    ? appended(window, version, added)
    : fitted(version, window.to + added.length, [...current, ...added])
}
