/**
 * OwnCache is the history cache in the memory of one process. It follows `rule.ts`, but keeps windows
 * (the newest messages of a conversation) in place of entries in a KV. A stub is a version without a
 * window. None of its methods waits.
 */
import type { Events } from '../../events.ts'
import { BoundedMap } from '../../mechanics/bounded-map.ts'
import { conversationName } from '../wire/kv-keys.ts'
import type { Commit, Effect } from '../writing/effects.ts'
import type { Cache } from './cache.ts'
import type { CacheRead, HeadEntry } from './entries.ts'
import type { ReadyWindow } from './ready-windows.ts'
import { headTtlMs, stubOf, updateOf, windowAfter } from './rule.ts'
import { memoryOf, type Window } from './window.ts'

export type OwnCacheOptions = {
  readonly events: Events
  /** How long a cached history is kept after its last write. */
  readonly ttlSeconds: number
  /** Past the sum of both bounds, the least recently read or written conversation is dropped. */
  readonly memoryBytesMax: number
  readonly readyBytesMax: number
}

/** A conversation that is being read: its window, or a stub. No snapshot older than it is stored. */
type CachedConversation = {
  readonly version: number
  readonly window: Window | undefined
  /**
   * A number that is never used twice. A reader gets it before its snapshot, and the snapshot is
   * stored only if it has not changed.
   */
  readonly stamp: number
  readonly bytes: number
  readonly expiresAt: number
}

/** Approximate bytes of a stub. */
const stubBytes = 1000

export class OwnCache implements Cache {
  readonly effect: Effect = { name: 'cache', committed: (commit) => this.#committed(commit) }
  readonly #events: Events
  readonly #bytesMax: number
  readonly #ttlMs: number
  readonly #conversations: BoundedMap<string, CachedConversation>
  #lastStamp = 0

  constructor({ events, ttlSeconds, memoryBytesMax, readyBytesMax }: OwnCacheOptions) {
    this.#events = events
    this.#bytesMax = memoryBytesMax + readyBytesMax
    this.#ttlMs = ttlSeconds * 1000
    this.#conversations = new BoundedMap({ max: this.#bytesMax, weigh: ({ bytes }) => bytes })
  }

  readyWindow(tenant: string, id: string): ReadyWindow | undefined {
    const name = conversationName(tenant, id)
    const window = this.#unexpired(name, this.#conversations.use(name))?.window
    return window === undefined ? undefined : { window, isStored: true }
  }

  isWriting(): boolean {
    return false
  }

  version(tenant: string, id: string): Promise<number> {
    return Promise.resolve(this.#find(conversationName(tenant, id))?.window?.version ?? 0)
  }

  read(tenant: string, id: string): Promise<CacheRead> {
    const name = conversationName(tenant, id)
    const cached = this.#unexpired(name, this.#conversations.use(name)) ?? this.#put(name, 0)
    const headEntry = headEntryOf(cached)
    const { window } = cached
    return Promise.resolve(
      window === undefined ? { kind: 'miss', headEntry } : { kind: 'window', window, headEntry },
    )
  }

  forget(tenant: string, id: string): void {
    this.#conversations.delete(conversationName(tenant, id))
  }

  fill(tenant: string, id: string, headEntry: HeadEntry, snapshot: Window): Promise<void> {
    const name = conversationName(tenant, id)
    const cached = this.#find(name)
    const isUnchanged =
      cached !== undefined && headEntryOf(cached).versionstamp === headEntry.versionstamp
    if (isUnchanged && snapshot.version >= cached.version)
      this.#put(name, snapshot.version, snapshot)
    return Promise.resolve()
  }

  distrust(tenant: string, id: string, version: number): Promise<void> {
    this.#events.cacheAhead(id, version)
    this.forget(tenant, id)
    return Promise.resolve()
  }

  erase(tenant: string, id: string, version: number): Promise<boolean> {
    this.#erase(conversationName(tenant, id), version)
    return Promise.resolve(true)
  }

  acceptsWrites(): boolean {
    return true
  }

  // Nothing runs in the background, so there is nothing to wait for.
  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve()
  }

  #committed(commit: Commit): void {
    const { tenant, conversationId, version, touched } = commit
    const name = conversationName(tenant, conversationId)
    if (touched === 'erased') {
      this.#erase(name, version)
      return
    }
    const cached = this.#find(name)
    // Every reader leaves a stub before its snapshot, so without a stub there is nothing to update.
    if (cached === undefined || cached.version >= version) return
    const { window, stamp } = cached
    // The stub keeps its stamp, so that a reader may still store its snapshot. A snapshot older than
    // the new version is refused because of that version.
    if (window === undefined) this.#put(name, version, undefined, stamp)
    else this.#put(name, version, windowAfter(window, updateOf(commit)))
  }

  #erase(name: string, version: number): void {
    this.#put(name, Math.max(version, this.#find(name)?.version ?? 0))
  }

  #find(name: string): CachedConversation | undefined {
    return this.#unexpired(name, this.#conversations.get(name))
  }

  /** Returns `cached`, unless it has expired: then it is dropped. */
  #unexpired(name: string, cached: CachedConversation | undefined): CachedConversation | undefined {
    if (cached === undefined || performance.now() < cached.expiresAt) return cached
    this.#conversations.delete(name)
    return undefined
  }

  /** `stamp` is the old stub's stamp if a stub replaces a stub; otherwise it is a new one. */
  #put(
    name: string,
    version: number,
    window?: Window,
    stamp = ++this.#lastStamp,
  ): CachedConversation {
    const bytes = window === undefined ? stubBytes : memoryOf(window)
    // A window larger than the whole cache leaves a stub.
    if (window !== undefined && bytes > this.#bytesMax)
      return this.#put(name, version, undefined, stamp)
    const now = performance.now()
    const expiresAt = now + headTtlMs(window !== undefined, this.#ttlMs)
    const cached = { version, window, stamp, bytes, expiresAt }
    this.#conversations.set(name, cached)
    for (const [oldest, other] of this.#conversations) {
      if (now < other.expiresAt) break
      this.#conversations.delete(oldest)
    }
    return cached
  }
}

const headEntryOf = ({ version, stamp }: CachedConversation): HeadEntry => ({
  head: stubOf(version),
  versionstamp: String(stamp),
})
