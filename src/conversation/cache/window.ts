/** The newest messages of a conversation at one version, printed; and what an answer takes of them. */
import { printMessage } from '../wire/message-text.ts'
import type { Message } from '../wire/schemas.ts'
import { type Shown, shown } from '../wire/views.ts'

/**
 * `texts` are the messages `from` to `to` by seq, `bytes` all of them together; `to` is the newest.
 * Empty: `from` is `to + 1`.
 */
export type Window = {
  readonly version: number
  readonly from: number
  readonly to: number
  readonly texts: readonly Uint8Array[]
  readonly bytes: number
}

/** A window holds no more; a message larger than `messageBytes` ends it. */
export const windowBounds = { messages: 64, bytes: 524_288, messageBytes: 61_440 }

/** What is asked for: messages by seq, both bounds exclusive. */
export type PageAsk = {
  readonly after?: number
  readonly before?: number
  readonly limit: number
  readonly order: 'asc' | 'desc'
  readonly shown: Shown
}

export type Page = { readonly texts: readonly Uint8Array[]; readonly hasMore: boolean }

/** The newest `last` messages, or all: as a page. */
export const historyAsk = (last: number | undefined, shown: Shown): PageAsk => ({
  limit: last ?? Number.MAX_SAFE_INTEGER,
  // The newest ones, in their order.
  before: Number.MAX_SAFE_INTEGER,
  order: 'asc',
  shown,
})

/** Whether a page is the messages nearest to its upper bound. */
export const isFromEnd = ({
  after,
  before,
  order,
}: Pick<PageAsk, 'after' | 'before' | 'order'>): boolean =>
  after === undefined && (before !== undefined || order === 'desc')

/** How many of the newest messages a page needs at least; more, where some are not shown. */
export const newestNeeded = (ask: PageAsk): number =>
  isFromEnd(ask) && (ask.before ?? Number.MAX_SAFE_INTEGER) === Number.MAX_SAFE_INTEGER
    ? Math.min(ask.limit, windowBounds.messages)
    : windowBounds.messages

/**
 * The page, where the window has all of it. Where places lie beyond the window, `hasMore` says so: at
 * worst, none of them is shown.
 */
export function pageOf(window: Window, ask: PageAsk): Page | undefined {
  const first = (ask.after ?? 0) + 1
  const last = Math.min((ask.before ?? Number.MAX_SAFE_INTEGER) - 1, window.to)
  const isWhole = window.from <= first || first > last
  const fromEnd = isFromEnd(ask)
  if (!fromEnd && !isWhole) return undefined
  const low = Math.max(first, window.from)
  const texts: Uint8Array[] = []
  let hasMore = !isWhole
  for (let step = 0; step <= last - low; step += 1) {
    const text = window.texts[(fromEnd ? last - step : low + step) - window.from]
    const visible = text === undefined ? undefined : shown(text, ask.shown)
    if (visible === undefined) continue
    if (texts.length === ask.limit) {
      hasMore = true
      break
    }
    texts.push(visible)
  }
  if (texts.length < ask.limit && !isWhole) return undefined
  const isInOrder = fromEnd === (ask.order === 'desc')
  return { texts: isInOrder ? texts : texts.reverse(), hasMore }
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
  const newest = kept === texts.length ? texts : texts.slice(texts.length - kept)
  return { version, from: to - kept + 1, to, texts: newest, bytes: bytesOf(newest) }
}

export const bytesOf = (texts: Iterable<Uint8Array>): number => {
  let bytes = 0
  for (const text of texts) bytes += text.byteLength
  return bytes
}

/** What a window and each message cost beside the texts, as measured. */
const windowOverhead = 1000
const messageOverhead = 200

/** Bytes of memory that a window at hand takes: each text by itself, and once in the body that is made of it. */
export const memoryOf = ({ bytes, texts }: Window): number =>
  2 * bytes + messageOverhead * texts.length + windowOverhead

/**
 * The window with these after its newest message, as `fitted` makes it; but what stays is not looked
 * at, so that a turn costs the same whatever the window holds.
 */
export function appended(window: Window, version: number, added: readonly Uint8Array[]): Window {
  const to = window.to + added.length
  if (added.some((text) => text.byteLength > windowBounds.messageBytes))
    return fitted(version, to, [...window.texts, ...added])
  let bytes = window.bytes + bytesOf(added)
  let count = window.texts.length + added.length
  let dropped = 0
  while (count > windowBounds.messages || bytes > windowBounds.bytes) {
    const oldest = window.texts[dropped] ?? added[dropped - window.texts.length]
    bytes -= oldest?.byteLength ?? 0
    dropped += 1
    count -= 1
  }
  const texts = [...window.texts, ...added].slice(dropped)
  return { version, from: to - count + 1, to, texts, bytes }
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
