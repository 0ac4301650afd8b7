/** The newest messages of a conversation at one version, printed; and what an answer takes of them. */
import { printMessage } from './message-text.ts'
import type { Message } from './wire.ts'

/** `texts` are the messages `from` to `to` by seq; `to` is the newest. Empty: `from` is `to + 1`. */
export type Window = {
  readonly version: number
  readonly from: number
  readonly to: number
  readonly texts: readonly Uint8Array[]
}

/** A window holds no more; a message larger than `messageBytes` ends it. */
export const windowBounds = { messages: 64, bytes: 524_288, messageBytes: 61_440 }

/** What is asked for: messages by seq, both bounds exclusive. */
export type PageAsk = {
  readonly after?: number
  readonly before?: number
  readonly limit: number
  readonly order: 'asc' | 'desc'
}

export type Page = { readonly texts: readonly Uint8Array[]; readonly hasMore: boolean }

/** The newest `last` messages, or all: as a page. */
export const historyAsk = (last: number | undefined): PageAsk => ({
  limit: last ?? Number.MAX_SAFE_INTEGER,
  // The newest ones, in their order.
  before: Number.MAX_SAFE_INTEGER,
  order: 'asc',
})

/** Whether a page is the messages nearest to its upper bound. */
export const isFromEnd = ({ after, before, order }: PageAsk): boolean =>
  after === undefined && (before !== undefined || order === 'desc')

/** How many of the newest messages a page can need, whatever the conversation's length. */
export const newestNeeded = (ask: PageAsk): number =>
  isFromEnd(ask) && (ask.before ?? Number.MAX_SAFE_INTEGER) === Number.MAX_SAFE_INTEGER
    ? Math.min(ask.limit, windowBounds.messages)
    : windowBounds.messages

/** The seqs of a page in a conversation whose newest message is `to`; low above high if none. */
export function pageRange(
  ask: PageAsk,
  to: number,
): { low: number; high: number; hasMore: boolean } {
  const first = (ask.after ?? 0) + 1
  const last = Math.min((ask.before ?? Number.MAX_SAFE_INTEGER) - 1, to)
  // seq is dense, so that counting is subtracting.
  const hasMore = last - first + 1 > ask.limit
  if (!hasMore) return { low: first, high: last, hasMore }
  return isFromEnd(ask)
    ? { low: last - ask.limit + 1, high: last, hasMore }
    : { low: first, high: first + ask.limit - 1, hasMore }
}

/** The page, where the window has all of it. */
export function pageOf(window: Window, ask: PageAsk): Page | undefined {
  const { low, high, hasMore } = pageRange(ask, window.to)
  if (low > high) return { texts: [], hasMore }
  if (low < window.from) return undefined
  const texts = window.texts.slice(low - window.from, high - window.from + 1)
  return { texts: ask.order === 'desc' ? texts.reverse() : texts, hasMore }
}

/** Of the newest messages, in order, what a window holds. `to` is the newest one's seq. */
export function windowOf(version: number, to: number, messages: readonly Message[]): Window {
  return fitted(
    version,
    to,
    messages.map((message) => printMessage(message)),
  )
}

/** Drops from the front what is too much. */
export function fitted(version: number, to: number, texts: readonly Uint8Array[]): Window {
  const kept = keptOf(texts.map((text) => text.byteLength))
  return { version, from: to - kept + 1, to, texts: texts.slice(texts.length - kept) }
}

/** How many of the newest are kept; `sizes` in order, the newest last. */
export function keptOf(sizes: readonly number[]): number {
  let bytes = 0
  let kept = 0
  for (const size of sizes.toReversed()) {
    bytes += size
    const isFull = kept === windowBounds.messages || bytes > windowBounds.bytes
    if (isFull || size > windowBounds.messageBytes) break
    kept += 1
  }
  return kept
}
