/**
 * The rule that keeps a cached history from ever going back. It is pure: it decides what to write,
 * and `entries.ts` writes that under a check of the head which the decision was made from.
 *
 * A cached conversation is a head and one entry per message. After a commit, the writer extends the
 * window if it ends just before that commit; otherwise it leaves a stub. Only a reader makes a
 * window: from a snapshot, if the head has not changed since before that snapshot. A stub's version
 * is a floor: no older snapshot may replace it.
 */
import { printMessage, wireNumber } from '../wire/message-text.ts'
import type { Commit } from '../writing/effects.ts'
import { appended, bytesOf, fitted, fittingCount, type Window, windowBounds } from './window.ts'

/**
 * The window holds the messages `from` to `to` by seq; a stub holds none. `sizes` has the bytes of
 * each as four hexadecimal digits, padded to one length: a turn costs the same whatever the window
 * holds.
 */
export type Head = {
  /** The `wireNumber` of the messages. A head with another number does not count as full. */
  readonly wire: number
  readonly version: number
  readonly full: boolean
  readonly from: number
  readonly to: number
  readonly sizes: string
}

export const isHead = (value: unknown): value is Head =>
  typeof value === 'object' && value !== null && 'version' in value && 'full' in value

export const isFull = (head: Head): boolean => head.full && head.wire === wireNumber

/**
 * The messages that one or more commits wrote, `from` (exclusive) to `version`, in their last
 * state.
 */
export type CacheUpdate = {
  /** Undefined if not every commit up to `version` is known. */
  readonly from: number | undefined
  readonly version: number
  readonly texts: ReadonlyMap<number, Uint8Array>
}

/** Returns the update that one commit makes, with its messages printed. */
export const updateOf = ({ from, version, messages }: Commit): CacheUpdate => ({
  from,
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
  /** Decides what a commit changes; undefined if nothing. */
  apply(head: Head | undefined, update: CacheUpdate): CacheWrite | undefined
  /** Decides what a snapshot changes that was taken after `head` was read; undefined if nothing. */
  fill(head: Head, snapshot: Window): CacheWrite | undefined
  /** Returns the window made of entries from one list call, or undefined if one is missing. */
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

/** The seqs whose entries the head names. */
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
    if (!isFull(head) || head.version !== update.from) return stub
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

  window(head, newestFirst, wanted) {
    const { version, to } = head
    const count = Math.min(wanted, to - head.from + 1)
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
 * Readers do not need the stub either. A reader writes a head before its snapshot. So a commit that
 * finds no head is in every snapshot taken later, or the head has been lost since, and then the
 * fill's check fails.
 */
export const loneRule: CacheRule = {
  ...cacheRule,
  apply: (head, update) => (head === undefined ? undefined : cacheRule.apply(head, update)),
}

/** Returns the window with the update's messages, or undefined if the update does not follow it. */
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

/** Returns this process's window after an update, or undefined if the update does not follow it. */
export function windowAfter(
  window: Window,
  { from, version, texts }: CacheUpdate,
): Window | undefined {
  if (from !== window.version) return undefined
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
