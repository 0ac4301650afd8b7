/**
 * A window is the newest messages of a conversation at one version, each as JSON bytes. Pages are cut
 * from it.
 */
import { printMessage } from '../wire/message-text.ts'
import type { Message } from '../wire/schemas.ts'
import { type Shown, shown } from '../wire/views.ts'

/**
 * `texts` are the messages with the seqs `from` to `to`, both included. `to` is the seq of the
 * conversation's newest message. `bytes` is the sum of the messages' sizes. In an empty window,
 * `from` is `to + 1`.
 */
export type Window = {
  readonly version: number
  readonly from: number
  readonly to: number
  readonly texts: readonly Uint8Array[]
  readonly bytes: number
}

/**
 * The maximum of messages and bytes in a window. A message of more than `messageBytes` is left out,
 * together with all older ones.
 */
export const windowBounds = { messages: 64, bytes: 524_288, messageBytes: 61_440 }

/** A request for messages by seq. Both bounds are exclusive. */
export type PageRequest = {
  /** @default 0 */
  readonly after?: number
  /** @default past the newest message */
  readonly before?: number
  /** The most messages in the page. */
  readonly limit: number
  readonly order: 'asc' | 'desc'
  /** The view, and whether seats are shown. */
  readonly shown: Shown
}

export type Page = { readonly texts: readonly Uint8Array[]; readonly hasMore: boolean }

/** The page request for the newest `last` messages, or for all of them if `last` is undefined. */
export const historyRequest = (last: number | undefined, shown: Shown): PageRequest => ({
  limit: last ?? Number.MAX_SAFE_INTEGER,
  // With an upper bound, a page is the newest messages; `asc` keeps them in ascending order.
  before: Number.MAX_SAFE_INTEGER,
  order: 'asc',
  shown,
})

/** Whether a page is the messages nearest to its upper bound. */
export const isFromEnd = ({
  after,
  before,
  order,
}: Pick<PageRequest, 'after' | 'before' | 'order'>): boolean =>
  after === undefined && (before !== undefined || order === 'desc')

/**
 * The least number of newest messages from which a page can be cut. If the view hides some of them, a
 * page needs more.
 */
export const newestNeeded = (request: PageRequest): number =>
  isFromEnd(request) && (request.before ?? Number.MAX_SAFE_INTEGER) === Number.MAX_SAFE_INTEGER
    ? Math.min(request.limit, windowBounds.messages)
    : windowBounds.messages

/**
 * Returns the page if the window holds all of it, otherwise undefined. If messages older than the
 * window are in range, `hasMore` is true, although all of them may be hidden.
 */
export function pageOf(window: Window, request: PageRequest): Page | undefined {
  const first = (request.after ?? 0) + 1
  const last = Math.min((request.before ?? Number.MAX_SAFE_INTEGER) - 1, window.to)
  const isWhole = window.from <= first || first > last
  const fromEnd = isFromEnd(request)
  if (!fromEnd && !isWhole) return undefined
  const low = Math.max(first, window.from)
  const texts: Uint8Array[] = []
  let hasMore = !isWhole
  for (let step = 0; step <= last - low; step += 1) {
    const text = window.texts[(fromEnd ? last - step : low + step) - window.from]
    const visible = text === undefined ? undefined : shown(text, request.shown)
    if (visible === undefined) continue
    if (texts.length === request.limit) {
      hasMore = true
      break
    }
    texts.push(visible)
  }
  if (texts.length < request.limit && !isWhole) return undefined
  const isInOrder = fromEnd === (request.order === 'desc')
  return { texts: isInOrder ? texts : texts.reverse(), hasMore }
}

/** Returns the window of the newest messages, which are in ascending order and end at seq `to`. */
export function windowOf(version: number, to: number, messages: readonly Message[]): Window {
  return fitted(
    version,
    to,
    messages.map((message) => printMessage(message)),
  )
}

/** Returns a window of the newest of these messages that fit into the bounds. */
export function fitted(version: number, to: number, texts: readonly Uint8Array[]): Window {
  const count = fittingCount(texts.map((text) => text.byteLength))
  const newest = count === texts.length ? texts : texts.slice(texts.length - count)
  return { version, from: to - count + 1, to, texts: newest, bytes: bytesOf(newest) }
}

export const bytesOf = (texts: Iterable<Uint8Array>): number => {
  let bytes = 0
  for (const text of texts) bytes += text.byteLength
  return bytes
}

/** Bytes that a window and each of its messages cost besides their texts, as measured. */
const windowOverhead = 1000
const messageOverhead = 200

/** Bytes of memory of a ready window: each text by itself, and once more in the body made of it. */
export const memoryOf = ({ bytes, texts }: Window): number =>
  2 * bytes + messageOverhead * texts.length + windowOverhead

/**
 * Adds messages after the newest one, and drops the oldest ones that exceed the bounds. It does not
 * look at the other messages, so a turn costs the same for each window.
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

/** The number of newest messages that fit into a window. `sizes` are in ascending order of seq. */
export function fittingCount(sizes: readonly number[]): number {
  let bytes = 0
  let count = 0
  for (const size of sizes.toReversed()) {
    bytes += size
    const isFull = count === windowBounds.messages || bytes > windowBounds.bytes
    if (isFull || size > windowBounds.messageBytes) break
    count += 1
  }
  return count
}
