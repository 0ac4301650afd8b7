/**
 * A window is the newest messages of a conversation at one version, printed; pages are cut from it.
 */
import { printMessage, turnOf } from '../wire/message-text.ts'
import type { Message } from '../wire/schemas.ts'
import { type Shown, shown } from '../wire/views.ts'

/**
 * `texts` are the messages `from` to `to` by seq, and `to` is the newest message. `bytes` is the
 * sum of their sizes. In an empty window, `from` is `to + 1`.
 */
export type Window = {
  readonly version: number
  readonly from: number
  readonly to: number
  readonly texts: readonly Uint8Array[]
  readonly bytes: number
}

/**
 * The most that a window holds. A message of more than `messageBytes` and all older ones are left
 * out.
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

/** How many of the newest messages a page needs at least. It needs more if some are hidden. */
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
 * may lack one of them. The place of a turn is that of its first message, shown or not. So an answer
 * whose question is older than the window is of an older turn.
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

/** Returns the window of the newest messages, given in ascending order. `to` is the newest seq. */
export function windowOf(version: number, to: number, messages: readonly Message[]): Window {
  return fitted(
    version,
    to,
    messages.map((message) => printMessage(message)),
  )
}

/** Returns a window without the oldest messages that exceed the bounds. */
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
 * Returns what `fitted` would make of the window with `added` after its newest message. It does not
 * look at the messages that stay, so that a turn costs the same whatever the window holds.
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

/** How many of the newest messages fit into a window. `sizes` are in ascending order of seq. */
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
