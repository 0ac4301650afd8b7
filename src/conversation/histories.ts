/**
 * Histories reads messages: from the cache if its version is right, otherwise from the database.
 */

import { mapInSlices } from '../mechanics/time-slices.ts'
import { Problem } from '../problem.ts'
import type { Cache } from './cache/cache.ts'
import type { CacheRead, HeadEntry } from './cache/entries.ts'
import { type PrintedPage, pageFrom } from './cache/printed-page.ts'
import {
  type HistoryBounds,
  historyRequest,
  newestNeeded,
  type PageRequest,
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
  /** @default `eventual` with a `minCursor`, otherwise `strong` */
  readonly consistency?: Consistency
  /** The answer has this cursor's version or a newer one. @default no minimum */
  readonly minCursor?: string
}

export type PageRead = Omit<PageRequest, 'shown'> & ReadOptions & { readonly shown?: Shown }

/** `shown` is the view, by default `said` without seats. */
export type HistoryRead = ReadOptions & HistoryBounds & { readonly shown?: Shown }

export type HistoriesOptions = {
  readonly reader: Reader
  readonly cache: Cache
  readonly versions: Versions
  /** Whether the conversation is erased, although a cache may still hold it. */
  isErased(tenant: string, id: string): boolean
  /** Whether the cache sees the commits of every node. If not, `eventual` is read as `strong`. */
  readonly isCoherent: boolean
  /** The most messages of a history without `last`. */
  readonly historyMessagesMax: number
}

/** A read in progress. `fromDatabase` answers it if no window can. */
type Query = {
  readonly principal: Principal
  readonly id: string
  readonly request: PageRequest
  readonly floor: number
  readonly minCursor: string | undefined
  readonly isStrong: boolean
  fromDatabase(): Promise<PrintedPage>
}

/**
 * Histories answers reads. Each read fails with `conversation-not-found`, `conversation-erased`, a
 * `database-` code, `cursor-invalid` (not a cursor of this conversation) or `cursor-ahead` (a
 * version that does not exist yet). Its page has the version, the cursor, the printed messages and
 * the source.
 */
export class Histories {
  readonly #options: HistoriesOptions

  constructor(options: HistoriesOptions) {
    this.#options = options
  }

  /**
   * Returns at most `limit` messages between the seqs `after` and `before`, both exclusive: the
   * oldest of them, or the newest if there is no `after` but a `before`, or the order is `desc`.
   */
  async page(principal: Principal, id: string, page: PageRead): Promise<PrintedPage> {
    const { consistency, minCursor, shown = said, ...rest } = page
    const floor = minCursor === undefined ? {} : { minCursor }
    const request = { ...rest, shown }
    const fromDatabase = async (): Promise<PrintedPage> => {
      const query = { ...request, ...floor }
      const found = await this.#options.reader.messages(principal, id, query)
      const { messages, hasMore, version, cursor } = found
      const texts = await mapInSlices(messages, printMessage)
      return { version, cursor, texts, hasMore, source: 'database' }
    }
    return await this.#read(
      this.#query(principal, id, request, consistency, minCursor, fromDatabase),
    )
  }

  /**
   * Returns the newest `last` messages in ascending `seq`, or those of the newest `lastTurns` turns,
   * by default all. Also fails with `history-too-long`, if all are more than `historyMessagesMax`.
   */
  async history(principal: Principal, id: string, history: HistoryRead): Promise<PrintedPage> {
    const { consistency, minCursor, shown = said, ...bounds } = history
    const fromDatabase = async (): Promise<PrintedPage> => {
      const floor = minCursor === undefined ? {} : { minCursor }
      const query = { ...bounds, shown, ...floor }
      const { messages, version, cursor } = await this.#options.reader.history(principal, id, query)
      const texts = await mapInSlices(messages, printMessage)
      return { version, cursor, texts, hasMore: false, source: 'database' }
    }
    const request = historyRequest(bounds, shown)
    const query = this.#query(principal, id, request, consistency, minCursor, fromDatabase)
    // If a window may hold more messages than one answer, the database decides, and refuses.
    const isBounded = bounds.last !== undefined || bounds.lastTurns !== undefined
    return !isBounded && this.#options.historyMessagesMax < windowBounds.messages
      ? await fromDatabase()
      : await this.#read(query)
  }

  #query(
    principal: Principal,
    id: string,
    request: PageRequest,
    consistency: Consistency | undefined,
    minCursor: string | undefined,
    fromDatabase: () => Promise<PrintedPage>,
  ): Query {
    const { isCoherent } = this.#options
    const isEventual = consistency === 'eventual' ? isCoherent : minCursor !== undefined
    return {
      principal,
      id,
      request,
      floor: minCursor === undefined ? 0 : decodeCursor(id, minCursor),
      minCursor,
      isStrong: consistency === 'strong' || !isEventual,
      fromDatabase,
    }
  }

  #read(query: Query): Promise<PrintedPage> {
    return query.isStrong ? this.#readStrong(query) : this.#readEventual(query)
  }

  /** Asks the database for the version and the KV for the window at once; the version decides. */
  async #readStrong(query: Query): Promise<PrintedPage> {
    const { cache, versions } = this.#options
    const { principal, id, request } = query
    const { tenant } = principal
    const ready = cache.readyWindow(tenant, id)
    // Until the KV has this version, eventual readers may still get the one before. The answer then
    // counts as the database's, because answers from the cache never go back.
    const source = ready?.isStored === true ? 'cache' : 'database'
    const readyPage = ready === undefined ? undefined : pageFrom(id, request, ready.window, source)
    // If the window is neither in the KV nor on its way there, this read asks the KV, to fill it.
    const isEnough = readyPage !== undefined && (source === 'cache' || cache.isWriting(tenant, id))
    const versionAnswer = versions.current(tenant, id)
    const [current, found] = isEnough
      ? [await versionAnswer, undefined]
      : await Promise.all([versionAnswer, cache.read(tenant, id, newestNeeded(request))])
    if (current?.isErased === true) cache.forget(tenant, id)
    // The ready window was committed before the version was asked for, so the database went back.
    if (ready !== undefined && ready.window.version > checkedVersion(query, current))
      return await this.#dropWindow(query, ready.window)
    const isServed = readyPage?.version === checkedVersion(query, current)
    if (isServed && (isEnough || found === undefined)) return readyPage
    const read = isEnough ? await cache.read(tenant, id, newestNeeded(request)) : found
    return await this.#pageFromRead(query, read, checkedVersion(query, current))
  }

  /** Returns the page from the window if it is at `current`, the database's version. */
  async #pageFromRead(
    query: Query,
    read: CacheRead | undefined,
    current: number,
  ): Promise<PrintedPage> {
    if (read?.kind !== 'window') return await this.#pageFromSnapshot(query, read?.headEntry)
    let version = current
    // The window may have a commit that came after the answer of the database: ask again.
    if (read.window.version > version)
      version = checkedVersion(
        query,
        await this.#options.versions.current(query.principal.tenant, query.id),
      )
    if (read.window.version > version) return await this.#dropWindow(query, read.window)
    return await this.#pageFromWindow(query, read, version)
  }

  async #dropWindow(query: Query, { version }: Window): Promise<PrintedPage> {
    await this.#options.cache.distrust(query.principal.tenant, query.id, version)
    return await this.#pageFromSnapshot(query, undefined)
  }

  /** Returns the page from the cache if its version reaches the floor. */
  async #readEventual(query: Query): Promise<PrintedPage> {
    const { cache, isErased } = this.#options
    const { principal, id, request } = query
    if (isErased(principal.tenant, id)) return await query.fromDatabase()
    const ready = cache.readyWindow(principal.tenant, id)
    if (ready !== undefined && ready.window.version >= query.floor) {
      const answer = pageFrom(id, request, ready.window)
      const version = answer === undefined ? 0 : await cache.version(principal.tenant, id)
      // The KV did not answer within its deadline: do not wait for a second one.
      if (version === undefined) return await query.fromDatabase()
      if (answer !== undefined && version === ready.window.version) return answer
    }
    const read = await cache.read(principal.tenant, id, newestNeeded(request))
    if (read?.kind !== 'window') return await this.#pageFromSnapshot(query, read?.headEntry)
    return await this.#pageFromWindow(query, read, query.floor)
  }

  /** Returns the page from the window, or from a snapshot if the window is older than `version`. */
  async #pageFromWindow(
    query: Query,
    { window, headEntry }: Extract<CacheRead, { kind: 'window' }>,
    version: number,
  ): Promise<PrintedPage> {
    if (window.version < version) return await this.#pageFromSnapshot(query, headEntry)
    return (
      pageFrom(query.id, query.request, window) ??
      (await this.#pageFromWholeWindow(query, window)) ??
      (await query.fromDatabase())
    )
  }

  /** Reads the whole window: hidden messages made the part that was read too short. */
  async #pageFromWholeWindow(
    { principal, id, request }: Query,
    window: Window,
  ): Promise<PrintedPage | undefined> {
    const count = window.texts.length
    if (window.from === 1 || count < newestNeeded(request) || count === windowBounds.messages)
      return undefined
    const read = await this.#options.cache.read(principal.tenant, id, windowBounds.messages)
    if (read?.kind !== 'window' || read.window.version !== window.version) return undefined
    return pageFrom(id, request, read.window)
  }

  /** Reads the database. If a head was read before, the snapshot also fills the cache. */
  async #pageFromSnapshot(query: Query, headEntry: HeadEntry | undefined): Promise<PrintedPage> {
    if (headEntry === undefined) return await query.fromDatabase()
    const { principal, id, request, minCursor } = query
    const { reader, cache } = this.#options
    const { messages, version, lastSeq } = await reader.newest(principal, id, {
      limit: windowBounds.messages,
      ...(minCursor === undefined ? {} : { minCursor }),
    })
    const snapshot = windowOf(version, lastSeq, messages)
    void cache.fill(principal.tenant, id, headEntry, snapshot)
    return pageFrom(id, request, snapshot, 'database') ?? (await query.fromDatabase())
  }
}

/** Returns the version. Fails if the conversation is missing, erased, or behind the floor. */
function checkedVersion({ floor }: Query, current: CurrentVersion | undefined): number {
  if (current === undefined) throw new Problem('conversation-not-found')
  if (current.isErased) throw new Problem('conversation-erased')
  if (floor > current.version) throw new Problem('cursor-ahead')
  return current.version
}
