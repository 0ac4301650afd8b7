/**
 * A window is the newest messages of a conversation at one version, each as JSON bytes. Pages are cut
 * from it.
 */
import { printMessage, turnOf } from '../wire/message-text.ts'
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
  /** The newest turns instead, in ascending order, whole and by their first message. */
  readonly turns?: number
  readonly order: 'asc' | 'desc'
  /** The view, and whether seats are shown. */
  readonly shown: Shown
}

export type Page = { readonly texts: readonly Uint8Array[]; readonly hasMore: boolean }

/** How many of the newest messages or turns a history has. @default all */
export type HistoryBounds = { readonly last?: number; readonly lastTurns?: number }

/**
 * The page request for the newest `last` messages, for those of the newest `lastTurns` turns, or for
 * all of them.
 */
export const historyRequest = ({ last, lastTurns }: HistoryBounds, shown: Shown): PageRequest => ({
  limit: last ?? Number.MAX_SAFE_INTEGER,
  ...(lastTurns === undefined ? {} : { turns: lastTurns }),
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
    ? Math.min(request.limit, 2 * (request.turns ?? Infinity), windowBounds.messages)
    : windowBounds.messages

/**
 * Returns the page if the window holds all of it, otherwise undefined. If messages older than the
 * window are in range, `hasMore` is true, although all of them may be hidden.
 */
export function pageOf(window: Window, request: PageRequest): Page | undefined {
  if (request.turns !== undefined) return newestTurns(window, request.turns, request.shown)
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

/**
 * Returns the shown messages of the newest `count` turns that have any, or undefined if the window
 * may lack one of them. A turn stands where its first message stands, even if that one is hidden. So an
 * answer whose question is older than the window belongs to an older turn.
 */
function newestTurns(window: Window, count: number, choice: Shown): Page | undefined {
  const begun = new Set<string>()
  const isShown = new Set<string>()
  const visible = window.texts.flatMap((printed) => {
    const { turnId, isFirst } = turnOf(printed)
    if (isFirst) begun.add(turnId)
    const text = begun.has(turnId) ? shown(printed, choice) : undefined
    if (text === undefined) return []
    isShown.add(turnId)
    return [{ turnId, text }]
  })
  const turns = [...begun].filter((turnId) => isShown.has(turnId))
  if (turns.length < count && window.from > 1) return undefined
  const newest = new Set(turns.slice(-count))
  const texts = visible.filter(({ turnId }) => newest.has(turnId)).map(({ text }) => text)
  return { texts, hasMore: false }
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
