/** What a reader gets of a window: messages printed, and where they stand. */
import { encodeCursor } from '../wire/ids.ts'
import { type PageAsk, pageOf, type Window } from './window.ts'

/** Messages printed, in the order asked for. The same object is the same in every member. */
export type Printed = {
  readonly version: number
  readonly cursor: string
  readonly texts: readonly Uint8Array[]
  readonly hasMore: boolean
  readonly source: 'cache' | 'database'
}

/** Most readers of a conversation ask for the same, so the last that was taken of a window is kept. */
const taken = new WeakMap<Window, { readonly ask: PageAsk; readonly printed: Printed }>()

/** What a window of this conversation has of a page; undefined where that is not all of it. */
export function printed(
  id: string,
  ask: PageAsk,
  window: Window,
  source: Printed['source'] = 'cache',
): Printed | undefined {
  const before = taken.get(window)
  if (before?.printed.source === source && isSame(before.ask, ask)) return before.printed
  const page = pageOf(window, ask)
  if (page === undefined) return undefined
  const { version } = window
  const now = { version, cursor: encodeCursor(id, version), ...page, source }
  taken.set(window, { ask, printed: now })
  return now
}

const isSame = (one: PageAsk, other: PageAsk): boolean =>
  one.limit === other.limit &&
  one.before === other.before &&
  one.after === other.after &&
  one.order === other.order &&
  one.shown.view === other.shown.view &&
  one.shown.pending === other.shown.pending
