/** A page of printed messages, as a reader gets it. */
import { encodeCursor } from '../wire/ids.ts'
import { type PageAsk, pageOf, type Window } from './window.ts'

/** Messages printed, in the order asked for. The same object is the same in every member. */
export type PrintedPage = {
  readonly version: number
  readonly cursor: string
  readonly texts: readonly Uint8Array[]
  readonly hasMore: boolean
  readonly source: 'cache' | 'database'
}

/** The last page that was taken of a window: most readers of a conversation ask for the same. */
const lastPages = new WeakMap<Window, { readonly ask: PageAsk; readonly page: PrintedPage }>()

/** The page of a window of this conversation; undefined where the window does not have all of it. */
export function pageFrom(
  id: string,
  ask: PageAsk,
  window: Window,
  source: PrintedPage['source'] = 'cache',
): PrintedPage | undefined {
  const last = lastPages.get(window)
  if (last?.page.source === source && isSame(last.ask, ask)) return last.page
  const found = pageOf(window, ask)
  if (found === undefined) return undefined
  const { version } = window
  const page = { version, cursor: encodeCursor(id, version), ...found, source }
  lastPages.set(window, { ask, page })
  return page
}

const isSame = (one: PageAsk, other: PageAsk): boolean =>
  one.limit === other.limit &&
  one.before === other.before &&
  one.after === other.after &&
  one.order === other.order &&
  one.shown.view === other.shown.view &&
  one.shown.pending === other.shown.pending
