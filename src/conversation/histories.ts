/** Reads of what was said, from the cache where that is right, and from the database. */

import { mapInSlices } from '../mechanics/time-slices.ts'
import { Problem } from '../problem.ts'
import type { Cache } from './cache/cache.ts'
import type { CacheRead, Seen } from './cache/entries.ts'
import { type PrintedPage, pageFrom } from './cache/printed-page.ts'
import {
  historyAsk,
  newestNeeded,
  type PageAsk,
  type Window,
  windowBounds,
  windowOf,
} from './cache/window.ts'
import type { Reader } from './reading/reader.ts'
import type { CurrentVersion, Versions } from './reading/versions.ts'
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

export type PageRead = Omit<PageAsk, 'shown'> & ReadOptions & { readonly shown?: Shown }

export type HistoryRead = ReadOptions & { readonly last?: number; readonly shown?: Shown }

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
  fromDatabase(): Promise<PrintedPage>
}

/**
 * Reads fail with `conversation-not-found`, `conversation-erased`, a `database-` code,
 * `cursor-invalid` and `cursor-ahead`.
 */
export class Histories {
  readonly #options: HistoriesOptions

  constructor(options: HistoriesOptions) {
    this.#options = options
  }

  async page(principal: Principal, id: string, page: PageRead): Promise<PrintedPage> {
    const { consistency, minCursor, shown = said, ...rest } = page
    const floor = minCursor === undefined ? {} : { minCursor }
    const ask = { ...rest, shown }
    const fromDatabase = async (): Promise<PrintedPage> => {
      const query = { ...ask, ...floor }
      const found = await this.#options.reader.messages(principal, id, query)
      const { messages, hasMore, version, cursor } = found
      const texts = await mapInSlices(messages, printMessage)
      return { version, cursor, texts, hasMore, source: 'database' }
    }
    return await this.#read(this.#query(principal, id, ask, consistency, minCursor, fromDatabase))
  }

  /** The newest `last` messages in order, or all of them: `history-too-long` past the bound. */
  async history(principal: Principal, id: string, history: HistoryRead): Promise<PrintedPage> {
    const { last, consistency, minCursor, shown = said } = history
    const fromDatabase = async (): Promise<PrintedPage> => {
      const floor = minCursor === undefined ? {} : { minCursor }
      const query = { ...(last === undefined ? {} : { last }), shown, ...floor }
      const { messages, version, cursor } = await this.#options.reader.history(principal, id, query)
      const texts = await mapInSlices(messages, printMessage)
      return { version, cursor, texts, hasMore: false, source: 'database' }
    }
    const ask = historyAsk(last, shown)
    const query = this.#query(principal, id, ask, consistency, minCursor, fromDatabase)
    // More than may be given at once is the database's to refuse.
    return last === undefined && this.#options.historyMessagesMax < windowBounds.messages
      ? await fromDatabase()
      : await this.#read(query)
  }

  #query(
    principal: Principal,
    id: string,
    ask: PageAsk,
    consistency: Consistency | undefined,
    minCursor: string | undefined,
    fromDatabase: () => Promise<PrintedPage>,
  ): Query {
    const { isCoherent } = this.#options
    const isEventual = consistency === 'eventual' ? isCoherent : minCursor !== undefined
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

  #read(query: Query): Promise<PrintedPage> {
    return query.isStrong ? this.#strong(query) : this.#eventual(query)
  }

  /** The version is asked for beside the window, and decides. */
  async #strong(query: Query): Promise<PrintedPage> {
    const { cache, versions } = this.#options
    const { principal, id, ask } = query
    const { tenant } = principal
    const ready = cache.readyWindow(tenant, id)
    // Readers of the cache alone may still be shown the version before: it is the database's word.
    const source = ready?.isStored === true ? 'cache' : 'database'
    const atHand = ready === undefined ? undefined : pageFrom(id, ask, ready.window, source)
    // A window that is neither in the KV nor on its way there needs a reader to bring it.
    const isEnough = atHand !== undefined && (source === 'cache' || cache.isWriting(tenant, id))
    const asked = versions.current(tenant, id)
    const [current, found] = isEnough
      ? [await asked, undefined]
      : await Promise.all([asked, cache.read(tenant, id, newestNeeded(ask))])
    if (current?.isErased === true) cache.forget(tenant, id)
    // What is at hand was committed before the question was asked: the database went back.
    if (ready !== undefined && ready.window.version > checked(query, current))
      return await this.#distrusted(query, ready.window)
    const isServed = atHand?.version === checked(query, current)
    if (isServed && (isEnough || found === undefined)) return atHand
    const read = isEnough ? await cache.read(tenant, id, newestNeeded(ask)) : found
    return await this.#fromRead(query, read, checked(query, current))
  }

  /** From the cache where it is at `current`, which is the database's version, and else from a snapshot. */
  async #fromRead(
    query: Query,
    read: CacheRead | undefined,
    current: number,
  ): Promise<PrintedPage> {
    if (read?.kind !== 'window') return await this.#fromSnapshot(query, read?.seen)
    let version = current
    // It may have been committed after the question was answered.
    if (read.window.version > version)
      version = checked(
        query,
        await this.#options.versions.current(query.principal.tenant, query.id),
      )
    if (read.window.version > version) return await this.#distrusted(query, read.window)
    return await this.#fromWindow(query, read, version)
  }

  async #distrusted(query: Query, { version }: Window): Promise<PrintedPage> {
    await this.#options.cache.distrust(query.principal.tenant, query.id, version)
    return await this.#fromSnapshot(query, undefined)
  }

  /** The cache's version is good enough, where it reaches the floor. */
  async #eventual(query: Query): Promise<PrintedPage> {
    const { cache, isErased } = this.#options
    const { principal, id, ask } = query
    if (isErased(principal.tenant, id)) return await query.fromDatabase()
    const ready = cache.readyWindow(principal.tenant, id)
    if (ready !== undefined && ready.window.version >= query.floor) {
      const answer = pageFrom(id, ask, ready.window)
      const version = answer === undefined ? 0 : await cache.version(principal.tenant, id)
      // One deadline is enough to wait for a KV that does not answer.
      if (version === undefined) return await query.fromDatabase()
      if (answer !== undefined && version === ready.window.version) return answer
    }
    const read = await cache.read(principal.tenant, id, newestNeeded(ask))
    if (read?.kind !== 'window') return await this.#fromSnapshot(query, read?.seen)
    return await this.#fromWindow(query, read, query.floor)
  }

  /** From a window at `version` or later; what is older is brought up to date. */
  async #fromWindow(
    query: Query,
    { window, seen }: Extract<CacheRead, { kind: 'window' }>,
    version: number,
  ): Promise<PrintedPage> {
    if (window.version < version) return await this.#fromSnapshot(query, seen)
    return (
      pageFrom(query.id, query.ask, window) ??
      (await this.#wider(query, window)) ??
      (await query.fromDatabase())
    )
  }

  /** The page of a whole window: some of the messages that were asked for are not shown. */
  async #wider({ principal, id, ask }: Query, window: Window): Promise<PrintedPage | undefined> {
    const held = window.texts.length
    if (window.from === 1 || held < newestNeeded(ask) || held === windowBounds.messages)
      return undefined
    const read = await this.#options.cache.read(principal.tenant, id, windowBounds.messages)
    if (read?.kind !== 'window' || read.window.version !== window.version) return undefined
    return pageFrom(id, ask, read.window)
  }

  /** From the database. Where a head was seen before, its window is made of the same snapshot. */
  async #fromSnapshot(query: Query, seen: Seen | undefined): Promise<PrintedPage> {
    if (seen === undefined) return await query.fromDatabase()
    const { principal, id, ask, minCursor } = query
    const { reader, cache } = this.#options
    const { messages, version, lastSeq } = await reader.newest(principal, id, {
      limit: windowBounds.messages,
      ...(minCursor === undefined ? {} : { minCursor }),
    })
    const snapshot = windowOf(version, lastSeq, messages)
    void cache.fill(principal.tenant, id, seen, snapshot)
    return pageFrom(id, ask, snapshot, 'database') ?? (await query.fromDatabase())
  }
}

/** The version of now; refuses what is not there, is gone, or is behind the floor. */
function checked({ floor }: Query, current: CurrentVersion | undefined): number {
  if (current === undefined) throw new Problem('conversation-not-found')
  if (current.isErased) throw new Problem('conversation-erased')
  if (floor > current.version) throw new Problem('cursor-ahead')
  return current.version
}
