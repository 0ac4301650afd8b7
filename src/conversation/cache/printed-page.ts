/** A printed page is the result of a read: messages as JSON bytes, ready to be sent. */
import { encodeCursor } from '../wire/ids.ts'
import { type PageRequest, pageOf, type Window } from './window.ts'

/**
 * The messages are in the order asked for. A page object never changes, so a caller may keep a
 * response body made from it.
 */
export type PrintedPage = {
  readonly version: number
  readonly cursor: string
  readonly texts: readonly Uint8Array[]
  readonly hasMore: boolean
  readonly source: 'cache' | 'database'
}

/** The last page cut from each window: most readers of a conversation want the same page. */
const lastPages = new WeakMap<
  Window,
  { readonly request: PageRequest; readonly page: PrintedPage }
>()

/**
 * Returns the page cut from the conversation's window, or undefined if the window lacks part of it.
 */
export function pageFrom(
  id: string,
  request: PageRequest,
  window: Window,
  source: PrintedPage['source'] = 'cache',
): PrintedPage | undefined {
  const last = lastPages.get(window)
  if (last?.page.source === source && isSame(last.request, request)) return last.page
  const found = pageOf(window, request)
  if (found === undefined) return undefined
  const { version } = window
  const page = { version, cursor: encodeCursor(id, version), ...found, source }
  lastPages.set(window, { request, page })
  return page
}

const isSame = (one: PageRequest, other: PageRequest): boolean =>
  one.limit === other.limit &&
  one.turns === other.turns &&
  one.before === other.before &&
  one.after === other.after &&
  one.order === other.order &&
  one.shown.view === other.shown.view &&
  one.shown.pending === other.shown.pending
