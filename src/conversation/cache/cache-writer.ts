/**
 * CacheWriter brings the cache up to date after commits, in the background. A conversation has one
 * write in flight; commits that arrive meanwhile join its next update. A conversation whose update
 * failed is remembered as dirty. Once the KV works again, the conversation is healed: a stub (a
 * version without messages) replaces its outdated messages.
 */

import { BoundedMap } from '../../mechanics/bounded-map.ts'
import { usableNow } from '../../mechanics/loop-delay.ts'
import { conversationName } from '../wire/kv-keys.ts'
import type { CacheEntries, HeadEntry } from './entries.ts'
import { isRefusal, refusesWrites } from './kv-refusal.ts'
import { type CacheUpdate, isFull } from './rule.ts'

export type CacheWriterOptions = {
  readonly entries: CacheEntries
  /** The KV has a window at this version. */
  onStored(tenant: string, id: string, version: number): void
  /** Whether the breaker lets calls through to the KV. */
  isOpen(): boolean
  /** The KV answered after this many milliseconds. */
  onAnswer(ms: number): void
  onFailure(what: string, id: string, reason: unknown, askedAt: number): void
  /** A conversation is dirty and waits for `heal`. */
  onDirty(): void
}

/**
 * Bounds of the conversations with waiting updates, and of their bytes. Past them, a commit only
 * makes its conversation dirty.
 */
const waitingMax = 10_000
const waitingBytesMax = 33_554_432
/**
 * The maximum number of dirty conversations. Above it, the oldest one is forgotten, and eventual
 * reads may return its outdated messages until they expire.
 */
const dirtyMax = 100_000
/** The maximum number of remembered heads. A remembered head saves an update one read. */
const knownHeadsMax = 10_000
/** The maximum number of conversations that are healed at the same time. */
const healersMax = 16

/** A conversation with a write in flight, and the update that waits for it. */
type Applying = { readonly tenant: string; readonly id: string; waiting: CacheUpdate | undefined }
type Dirty = { readonly tenant: string; readonly id: string; readonly version: number }

export class CacheWriter {
  readonly #options: CacheWriterOptions
  readonly #applying = new Map<string, Applying>()
  readonly #dirty = new BoundedMap<string, Dirty>({ max: dirtyMax })
  readonly #knownHeads = new BoundedMap<string, HeadEntry>({ max: knownHeadsMax })
  /** Called once no write is in flight. */
  readonly #onIdle: (() => void)[] = []
  /** Bytes of all waiting updates. */
  #bytes = 0

  constructor(options: CacheWriterOptions) {
    this.#options = options
  }

  /** Accepts a commit of this process. It never throws and never waits. */
  committed(tenant: string, id: string, update: CacheUpdate): void {
    const name = conversationName(tenant, id)
    const applying = this.#applying.get(name)
    const isTooMuch =
      this.#applying.size >= waitingMax || this.#bytes + sizeOf(update) > waitingBytesMax
    if (isTooMuch || !this.#options.isOpen()) {
      // Drop this conversation's waiting commits: without this one they would leave a gap.
      if (applying?.waiting !== undefined) {
        this.#bytes -= sizeOf(applying.waiting)
        applying.waiting = undefined
      }
      this.#markDirty(tenant, id, update.version)
      return
    }
    const before = applying?.waiting
    const waiting = before === undefined ? update : folded(before, update)
    // Two merged updates are smaller than their sum: add what `#run` will subtract.
    this.#bytes += sizeOf(waiting) - (before === undefined ? 0 : sizeOf(before))
    if (applying === undefined) {
      const started = { tenant, id, waiting }
      this.#applying.set(name, started)
      void this.#run(name, started)
    } else applying.waiting = waiting
  }

  /** Remembers a head that a read or a fill returned, so that the next update need not read it. */
  rememberHead(tenant: string, id: string, headEntry: HeadEntry): void {
    const name = conversationName(tenant, id)
    const before = this.#knownHeads.get(name)?.versionstamp ?? ''
    if (before < headEntry.versionstamp) this.#knownHeads.set(name, headEntry)
    this.#reportStored(tenant, id, headEntry)
  }

  /**
   * Deletes the conversation's messages from the cache. If it cannot, it makes the conversation
   * dirty and returns false.
   */
  async erase(tenant: string, id: string, version: number): Promise<boolean> {
    const { entries, isOpen, onFailure } = this.#options
    this.#knownHeads.delete(conversationName(tenant, id))
    const askedAt = usableNow()
    try {
      const done = isOpen() && (await entries.erase(tenant, id, version))
      if (!done) this.#markDirty(tenant, id, version)
      return done
    } catch (thrown) {
      this.#markDirty(tenant, id, version)
      onFailure('erase', id, thrown, askedAt)
      return false
    }
  }

  /**
   * Replaces the windows of dirty conversations by stubs. Returns the number of conversations that
   * are dirty afterwards. Rejects if the KV is away.
   */
  async heal(): Promise<number> {
    // A snapshot of the map: conversations that become dirty meanwhile wait for the next time.
    const due = [...this.#dirty.values()].values()
    const healers = Array.from({ length: healersMax }, () => this.#healAll(due))
    const failed = (await Promise.allSettled(healers)).find(({ status }) => status === 'rejected')
    if (failed?.status === 'rejected') throw failed.reason
    return this.#dirty.size
  }

  /** Whether a write of the conversation waits or is in flight. */
  isWriting(tenant: string, id: string): boolean {
    return this.#applying.has(conversationName(tenant, id))
  }

  /** Resolves when no write is in flight. */
  drained(): Promise<void> {
    if (this.#applying.size === 0) return Promise.resolve()
    return new Promise((resolve) => this.#onIdle.push(resolve))
  }

  /** Writes updates until none waits for this conversation. */
  async #run(name: string, applying: Applying): Promise<void> {
    for (let next = applying.waiting; next !== undefined; next = applying.waiting) {
      applying.waiting = undefined
      this.#bytes -= sizeOf(next)
      await this.#apply(name, applying, next)
    }
    this.#applying.delete(name)
    if (this.#applying.size === 0) for (const resolve of this.#onIdle.splice(0)) resolve()
  }

  async #apply(name: string, { tenant, id }: Applying, update: CacheUpdate): Promise<void> {
    const { entries, onAnswer, onFailure } = this.#options
    if (!this.#options.isOpen()) {
      this.#markDirty(tenant, id, update.version)
      return
    }
    const askedAt = usableNow()
    try {
      const done = await entries.apply(tenant, id, update, this.#knownHeads.get(name))
      onAnswer(usableNow() - askedAt)
      this.#setKnownHead(name, done?.headEntry)
      this.#reportStored(tenant, id, done?.headEntry)
      const version = Math.max(update.version, done?.headEntry?.head.version ?? 0)
      if (done === undefined) this.#markDirty(tenant, id, update.version)
      else if ((this.#dirty.get(name)?.version ?? 0) <= version) this.#dirty.delete(name)
    } catch (thrown) {
      // The write may have happened, or may still happen, so the stored head is unknown.
      this.#knownHeads.delete(name)
      this.#markDirty(tenant, id, update.version)
      onFailure('apply', id, thrown, askedAt)
    }
  }

  async #healAll(due: Iterable<Dirty>): Promise<void> {
    for (const { tenant, id, version } of due) {
      this.#dirty.delete(conversationName(tenant, id))
      try {
        const mark = { afterVersion: undefined, version, texts: new Map() }
        const done = await this.#options.entries.apply(tenant, id, mark)
        if (done === undefined) this.#markDirty(tenant, id, version)
      } catch (thrown) {
        this.#markDirty(tenant, id, version)
        // A refusal of one conversation must not stop the healing of the others.
        if (!isRefusal(thrown) || refusesWrites(thrown)) throw thrown
      }
    }
  }

  #markDirty(tenant: string, id: string, version: number): void {
    const name = conversationName(tenant, id)
    const before = this.#dirty.get(name)?.version ?? 0
    this.#dirty.set(name, { tenant, id, version: Math.max(version, before) })
    this.#options.onDirty()
  }

  #setKnownHead(name: string, headEntry: HeadEntry | undefined): void {
    if (headEntry === undefined) this.#knownHeads.delete(name)
    else this.#knownHeads.set(name, headEntry)
  }

  #reportStored(tenant: string, id: string, headEntry: HeadEntry | undefined): void {
    if (headEntry !== undefined && isFull(headEntry.head))
      this.#options.onStored(tenant, id, headEntry.head.version)
  }
}

const sizeOf = ({ texts }: CacheUpdate): number => {
  let sum = 200
  for (const text of texts.values()) sum += text.byteLength
  return sum
}

/** Merges two updates. If commits are missing between them, `afterVersion` is undefined. */
function folded(first: CacheUpdate, second: CacheUpdate): CacheUpdate {
  if (second.version <= first.version) return { ...first, afterVersion: undefined }
  if (first.version !== second.afterVersion) return { ...second, afterVersion: undefined }
  return {
    afterVersion: first.afterVersion,
    version: second.version,
    texts: new Map([...first.texts, ...second.texts]),
  }
}
