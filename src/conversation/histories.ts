/** Reads of what was said, from the cache where that is right, and from the database. */

import { mapInSlices } from '../mechanics/time-slices.ts'
import { Problem } from '../problem.ts'
import type { Cache } from './cache/cache.ts'
import type { CacheRead, Seen } from './cache/entries.ts'
import { type Printed, printed } from './cache/printed.ts'
import {
  historyAsk,
  newestNeeded,
  type PageAsk,
  type Window,
  windowBounds,
  windowOf,
} from './cache/window.ts'
import type { Reader } from './reading/reader.ts'
import type { Current, Versions } from './reading/versions.ts'
import { decodeCursor } from './wire/ids.ts'
import { printMessage } from './wire/message-text.ts'
import type { Principal } from './wire/principal.ts'
import { type Shown, said } from './wire/views.ts'

/** As in Deno KV: `strong` is never behind an acknowledged commit; `eventual` trusts the cache. */
export type Consistency = 'strong' | 'eventual'

export type ReadOptions = {
  /** `eventual` where there is a `minCursor`, else `strong`. */
  readonly consistency?: Consistency
  /** A floor: the answer is at least at this version. */
  readonly minCursor?: string
}

/**
 * Reads fail with `conversation-not-found`, `conversation-erased`, a `database-` code,
 * `cursor-invalid` and `cursor-ahead`.
 */
export type Histories = {
  page(
    principal: Principal,
    id: string,
    ask: Omit<PageAsk, 'shown'> & ReadOptions & { readonly shown?: Shown },
  ): Promise<Printed>
  /** The newest `last` messages in order, or all of them: `history-too-long` past the bound. */
  history(
    principal: Principal,
    id: string,
    ask: ReadOptions & { readonly last?: number; readonly shown?: Shown },
  ): Promise<Printed>
}

export type HistoriesOptions = {
  readonly reader: Reader
  readonly cache: Cache
  readonly versions: Versions
  /** Whether the conversation is erased, and a cache may still have it. */
  isErased(tenant: string, id: string): boolean
  /** Whether the cache sees the commits of every node: else it cannot be trusted without asking. */
  readonly isCoherent: boolean
  readonly historyMessagesMax: number
}

/** What is read, and how the database is asked for what no window has. */
type Query = {
  readonly principal: Principal
  readonly id: string
  readonly ask: PageAsk
  readonly floor: number
  readonly minCursor: string | undefined
  readonly isStrong: boolean
  fromDatabase(): Promise<Printed>
}

export function createHistories(options: HistoriesOptions): Histories {
  const { reader, cache, versions } = options

  const read = (query: Query) => (query.isStrong ? strong(query) : eventual(query))

  /** The version is asked for beside the window, and decides. */
  const strong = async (query: Query): Promise<Printed> => {
    const { principal, id, ask } = query
    const ready = cache.ready(principal.tenant, id)
    // Readers of the cache alone may still be shown the version before: it is the database's word.
    const source = ready?.isStored === true ? 'cache' : 'database'
    const atHand = ready === undefined ? undefined : printed(id, ask, ready.window, source)
    // What is neither in the store nor on its way there needs a reader to bring it.
    const isEnough =
      atHand !== undefined && (source === 'cache' || cache.isWriting(principal.tenant, id))
    const asked = versions.current(principal.tenant, id)
    const [current, found] = isEnough
      ? [await asked, undefined]
      : await Promise.all([asked, cache.read(principal.tenant, id, newestNeeded(ask))])
    if (current?.isErased === true) cache.forget(principal.tenant, id)
    // What is at hand was committed before the question was asked: the database went back.
    if (ready !== undefined && ready.window.version > checked(query, current))
      return await distrusted(query, ready.window)
    const isServed = atHand?.version === checked(query, current)
    if (isServed && (isEnough || found === undefined)) return atHand
    const read = isEnough ? await cache.read(principal.tenant, id, newestNeeded(ask)) : found
    if (read?.kind !== 'window') {
      checked(query, current)
      return await fromSnapshot(query, read?.seen)
    }
    let version = checked(query, current)
    // It may have been committed after the question was answered.
    if (read.window.version > version)
      version = checked(query, await versions.current(principal.tenant, id))
    if (read.window.version > version) return await distrusted(query, read.window)
    return await fromWindow(query, read, version)
  }

  const distrusted = async (query: Query, { version }: Window): Promise<Printed> => {
    await cache.distrust(query.principal.tenant, query.id, version)
    return await fromSnapshot(query, undefined)
  }

  /** The cache's version is good enough, where it reaches the floor. */
  const eventual = async (query: Query): Promise<Printed> => {
    const { principal, id, ask } = query
    if (options.isErased(principal.tenant, id)) return await query.fromDatabase()
    const ready = cache.ready(principal.tenant, id)
    if (ready !== undefined && ready.window.version >= query.floor) {
      const answer = printed(id, query.ask, ready.window)
      const version = answer === undefined ? 0 : await cache.version(principal.tenant, id)
      // One deadline is enough to wait for a store that does not answer.
      if (version === undefined) return await query.fromDatabase()
      if (answer !== undefined && version === ready.window.version) return answer
    }
    const read = await cache.read(principal.tenant, id, newestNeeded(ask))
    if (read?.kind !== 'window') return await fromSnapshot(query, read?.seen)
    return await fromWindow(query, read, query.floor)
  }

  /** From a window at `version` or later; what is older is brought up to date. */
  const fromWindow = async (
    query: Query,
    { window, seen }: Extract<CacheRead, { kind: 'window' }>,
    version: number,
  ): Promise<Printed> => {
    if (window.version < version) return await fromSnapshot(query, seen)
    return (
      printed(query.id, query.ask, window) ??
      (await wider(query, window)) ??
      (await query.fromDatabase())
    )
  }

  /** As many as were asked for were not enough, for some are not shown: the window may hold more. */
  const wider = async ({ principal, id, ...query }: Query, window: Window) => {
    const held = window.texts.length
    if (window.from === 1 || held < newestNeeded(query.ask) || held === windowBounds.messages)
      return undefined
    const read = await cache.read(principal.tenant, id, windowBounds.messages)
    if (read?.kind !== 'window' || read.window.version !== window.version) return undefined
    return printed(id, query.ask, read.window)
  }

  /** From the database. Where a head was seen before, its window is made of the same snapshot. */
  const fromSnapshot = async (query: Query, seen: Seen | undefined): Promise<Printed> => {
    if (seen === undefined) return await query.fromDatabase()
    const { principal, id } = query
    const snapshot = await newest(principal, id, query.minCursor)
    void cache.fill(principal.tenant, id, seen, snapshot)
    return printed(id, query.ask, snapshot, 'database') ?? (await query.fromDatabase())
  }

  const newest = async (principal: Principal, id: string, minCursor?: string): Promise<Window> => {
    const { messages, version, lastSeq } = await reader.newest(principal, id, {
      limit: windowBounds.messages,
      ...(minCursor === undefined ? {} : { minCursor }),
    })
    return windowOf(version, lastSeq, messages)
  }

  const queryOf = (
    principal: Principal,
    id: string,
    ask: PageAsk,
    { consistency, minCursor }: ReadOptions,
    fromDatabase: () => Promise<Printed>,
  ): Query => {
    const isEventual = consistency === 'eventual' ? options.isCoherent : minCursor !== undefined
    return {
      principal,
      id,
      ask,
      floor: minCursor === undefined ? 0 : decodeCursor(id, minCursor),
      minCursor,
      isStrong: consistency === 'strong' || !isEventual,
      fromDatabase,
    }
  }

  return {
    async page(principal, id, { consistency, minCursor, shown = said, ...rest }) {
      const floor = minCursor === undefined ? {} : { minCursor }
      const ask = { ...rest, shown }
      const fromDatabase = async (): Promise<Printed> => {
        const { messages, hasMore, version, cursor } = await reader.messages(principal, id, {
          ...rest,
          shown,
          ...floor,
        })
        const texts = await mapInSlices(messages, printMessage)
        return { version, cursor, texts, hasMore, source: 'database' }
      }
      const given = { ...(consistency === undefined ? {} : { consistency }), ...floor }
      return await read(queryOf(principal, id, ask, given, fromDatabase))
    },

    async history(principal, id, { last, consistency, minCursor, shown = said }) {
      const floor = minCursor === undefined ? {} : { minCursor }
      const fromDatabase = async (): Promise<Printed> => {
        const { messages, version, cursor } = await reader.history(principal, id, {
          ...(last === undefined ? {} : { last }),
          shown,
          ...floor,
        })
        const texts = await mapInSlices(messages, printMessage)
        return { version, cursor, texts, hasMore: false, source: 'database' }
      }
      // More than may be given at once is the database's to refuse.
      const ask = historyAsk(last, shown)
      const given = { ...(consistency === undefined ? {} : { consistency }), ...floor }
      const query = queryOf(principal, id, ask, given, fromDatabase)
      return last === undefined && options.historyMessagesMax < windowBounds.messages
        ? await fromDatabase()
        : await read(query)
    },
  }
}

/** The version of now; refuses what is not there, is gone, or is behind the floor. */
function checked({ floor }: Query, current: Current | undefined): number {
  if (current === undefined) throw new Problem('conversation-not-found')
  if (current.isErased) throw new Problem('conversation-erased')
  if (floor > current.version) throw new Problem('cursor-ahead')
  return current.version
}
