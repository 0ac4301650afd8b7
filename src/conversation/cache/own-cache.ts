/**
 * OwnCache is the history cache where it is memory of this process alone: the rule of `rule.ts` on windows
 * as they are, with no keys, values or calls between. Nothing here waits for anything.
 */
import type { Events } from '../../events.ts'
import { BoundedMap } from '../../mechanics/bounded-map.ts'
import { conversationName } from '../wire/kv-keys.ts'
import type { Commit, Effect } from '../writing/effects.ts'
import type { Cache } from './cache.ts'
import type { CacheRead, Seen } from './entries.ts'
import type { Ready } from './ready-windows.ts'
import { appliedOf, stayMs, stubOf, windowAfter } from './rule.ts'
import { memoryOf, type Window } from './window.ts'

export type OwnCacheOptions = {
  readonly events: Events
  /** How long a cached history is kept after its last write. */
  readonly ttlSeconds: number
  /** Past both together, the conversation that was read or written longest ago is dropped first. */
  readonly memoryBytesMax: number
  readonly readyBytesMax: number
}

/** A conversation that somebody reads: its window, or a stub, whose version is a floor. */
type Held = {
  readonly version: number
  readonly window: Window | undefined
  /** Never used again: a reader that fills names the one that was there before its snapshot. */
  readonly stamp: number
  readonly bytes: number
  readonly dueAt: number
}

/** What a stub costs, roughly. */
const stubBytes = 1000

export class OwnCache implements Cache {
  readonly effect: Effect = { name: 'cache', committed: (commit) => this.#committed(commit) }
  readonly #events: Events
  readonly #bytesMax: number
  readonly #ttlMs: number
  readonly #held: BoundedMap<string, Held>
  #stamps = 0

  constructor({ events, ttlSeconds, memoryBytesMax, readyBytesMax }: OwnCacheOptions) {
    this.#events = events
    this.#bytesMax = memoryBytesMax + readyBytesMax
    this.#ttlMs = ttlSeconds * 1000
    this.#held = new BoundedMap({ max: this.#bytesMax, weigh: ({ bytes }) => bytes })
  }

  readyWindow(tenant: string, id: string): Ready | undefined {
    const name = conversationName(tenant, id)
    const window = this.#alive(name, this.#held.use(name))?.window
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
    const held = this.#alive(name, this.#held.use(name)) ?? this.#put(name, 0)
    const seen = seenOf(held)
    const { window } = held
    return Promise.resolve(
      window === undefined ? { kind: 'miss', seen } : { kind: 'window', window, seen },
    )
  }

  forget(tenant: string, id: string): void {
    this.#held.delete(conversationName(tenant, id))
  }

  fill(tenant: string, id: string, seen: Seen, snapshot: Window): Promise<void> {
    const name = conversationName(tenant, id)
    const held = this.#find(name)
    const isTheSame = held !== undefined && seenOf(held).versionstamp === seen.versionstamp
    if (isTheSame && snapshot.version >= held.version) this.#put(name, snapshot.version, snapshot)
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

  // Nothing is under way, and what it keeps goes with it.
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
    const held = this.#find(name)
    // A reader leaves a stub before its snapshot: without one, no window has to be brought up to date.
    if (held === undefined || held.version >= version) return
    const { window, stamp } = held
    // A stub stays the same: whoever fills it must reach its version, so a commit between is no harm.
    if (window === undefined) this.#put(name, version, undefined, stamp)
    else this.#put(name, version, windowAfter(window, appliedOf(commit)))
  }

  #erase(name: string, version: number): void {
    this.#put(name, Math.max(version, this.#find(name)?.version ?? 0))
  }

  #find(name: string): Held | undefined {
    return this.#alive(name, this.#held.get(name))
  }

  /** `held`, unless its time is over: then it is dropped. */
  #alive(name: string, held: Held | undefined): Held | undefined {
    if (held === undefined || performance.now() < held.dueAt) return held
    this.#held.delete(name)
    return undefined
  }

  /** `stamp`: of the stub that this one follows. */
  #put(name: string, version: number, window?: Window, stamp = ++this.#stamps): Held {
    const bytes = window === undefined ? stubBytes : memoryOf(window)
    // A window that is too large by itself leaves a stub.
    if (window !== undefined && bytes > this.#bytesMax)
      return this.#put(name, version, undefined, stamp)
    const now = performance.now()
    const dueAt = now + stayMs(window !== undefined, this.#ttlMs)
    const held = { version, window, stamp, bytes, dueAt }
    this.#held.set(name, held)
    for (const [oldest, other] of this.#held) {
      if (now < other.dueAt) break
      this.#held.delete(oldest)
    }
    return held
  }
}

const seenOf = ({ version, stamp }: Held): Seen => ({
  head: stubOf(version),
  versionstamp: String(stamp),
})
