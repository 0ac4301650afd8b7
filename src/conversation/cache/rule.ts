/**
 * The rule that keeps a cached history from ever going backwards. Pure: what to do is decided here and
 * done in `entries.ts`, always under a check of the head that the decision was made from.
 *
 * A conversation in the cache is a head and one entry per message. Writers extend a window that they
 * know to be the one before their commit, or mark it as not full (a stub); only a reader whose
 * remembered head has not changed since before its snapshot makes one. A stub's version is a floor.
 */
import { printMessage, wireNumber } from '../wire/message-text.ts'
import type { Commit } from '../writing/effects.ts'
import { appended, bytesOf, fitted, keptOf, type Window, windowBounds } from './window.ts'

/**
 * `from` to `to` are the seqs held, `sizes` the bytes of each, as four hexadecimal digits, of one
 * length whatever their number: a turn costs the same at every length. A stub holds nothing.
 */
export type Head = {
  /** The `wireNumber` of its messages. A head of another number is not full. */
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

/** The messages of one or more commits, `from` (exclusive) to `version`, each as it was left. */
export type Applied = {
  /** Undefined where it is not known what they were. */
  readonly from: number | undefined
  readonly version: number
  readonly texts: ReadonlyMap<number, Uint8Array>
}

/** What a commit did, as it travels. */
export const appliedOf = ({ from, version, messages }: Commit): Applied => ({
  from,
  version,
  texts: new Map(messages.map((message) => [message.seq, printMessage(message)])),
})

/** What to change, under a check of the head it was made from. */
export type Change = {
  readonly head: Head
  readonly put: ReadonlyMap<number, Uint8Array>
  readonly drop: readonly number[]
}

export type CacheRule = {
  /** After a commit; undefined: nothing to do. */
  apply(head: Head | undefined, applied: Applied): Change | undefined
  /** After a snapshot, which was taken after `head` was seen. */
  fill(head: Head, snapshot: Window): Change | undefined
  /** The window of an entry list read at once; undefined: a hole. */
  window(head: Head, newestFirst: readonly Entry[], wanted: number): Window | undefined
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

/** A stub that nobody fills is no use for long: without it, the next reader makes one. */
const stubMs = 30_000

/** How long a head stays. */
export const stayMs = (isFull: boolean, ttlMs: number): number =>
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

/** Four digits; a message that is kept has fewer than 65,536 bytes. */
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

/** What a head says is there. */
export const seqsOf = (head: Head): number[] => (head.full ? between(head.from, head.to) : [])

export const cacheRule: CacheRule = {
  apply(head, applied) {
    const { version } = applied
    const stub = {
      head: stubOf(version),
      put: new Map(),
      drop: head === undefined ? [] : seqsOf(head),
    }
    if (head === undefined) return stub
    if (head.version >= version) return undefined
    if (!isFull(head) || head.version !== applied.from) return stub
    return extended(head, applied) ?? stub
  },

  fill(head, snapshot) {
    if (snapshot.version < head.version) return undefined
    const { from, to, texts } = snapshot
    return {
      head: fullHead(
        snapshot,
        texts.map((text) => text.byteLength),
      ),
      put: new Map(texts.map((text, index) => [from + index, text])),
      drop: seqsOf(head).filter((seq) => seq < from || seq > to),
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
 * For a KV that no other node sees: a stub wakes nobody, so a commit leaves nothing where there is no
 * head. No reader needs it: one leaves a head before it takes its snapshot, so a writer that finds none
 * after its commit is before every snapshot that may yet become a window, or its head is gone since.
 */
export const loneRule: CacheRule = {
  ...cacheRule,
  apply: (head, applied) => (head === undefined ? undefined : cacheRule.apply(head, applied)),
}

/** The window with the commit's messages in it; undefined where it does not follow. */
function extended(head: Head, { version, texts }: Applied): Change | undefined {
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
  const kept = keptOf(sizes)
  const from = to - kept + 1
  return {
    head: fullHead({ version, from, to }, sizes.slice(sizes.length - kept)),
    put: new Map([...texts].filter(([seq]) => seq >= from)),
    drop: between(head.from, Math.min(head.to, from - 1)),
  }
}

/** A window after a commit, kept in a process; undefined where the commit does not follow it. */
export function windowAfter(window: Window, { from, version, texts }: Applied): Window | undefined {
  if (from !== window.version) return undefined
  let held = window.texts
  const added: Uint8Array[] = []
  for (const seq of [...texts.keys()].sort((a, b) => a - b)) {
    const text = texts.get(seq)
    const next = window.to + added.length + 1
    if (seq > next || text === undefined) return undefined
    if (seq === next) added.push(text)
    else if (seq >= window.from) held = held.with(seq - window.from, text)
  }
  return held === window.texts
    ? appended(window, version, added)
    : fitted(version, window.to + added.length, [...held, ...added])
}
