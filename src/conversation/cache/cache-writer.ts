/**
 * CacheWriter brings the cache up to date after commits, in the background: one apply per conversation at
 * a time, and commits that come meanwhile are folded into the next. What could not be applied is
 * remembered as dirty, and marked as not full when the KV is back.
 */

import { BoundedMap } from '../../mechanics/bounded-map.ts'
import { usableNow } from '../../mechanics/loop-delay.ts'
import { conversationName } from '../wire/kv-keys.ts'
import type { CacheEntries, Seen } from './entries.ts'
import { isRefusal, refusesWrites } from './kv-refusal.ts'
import { type Applied, isFull } from './rule.ts'

export type CacheWriterOptions = {
  readonly entries: CacheEntries
  /** The KV has a window at this version. */
  onStored(tenant: string, id: string, version: number): void
  /** Whether the KV may be asked. */
  isOpen(): boolean
  /** The KV took this long, in milliseconds. */
  onAnswer(ms: number): void
  onFailure(what: string, id: string, reason: unknown, askedAt: number): void
  /** A conversation waits for `heal`. */
  onDirty(): void
}

/** Conversations that wait for their apply, and their bytes; what is beyond is remembered as dirty. */
const waitingMax = 10_000
const waitingBytesMax = 33_554_432
/** Beyond these the oldest is forgotten: then its expiry bounds what readers of the cache alone see. */
const dirtyMax = 100_000
/** Heads remembered, so that an apply need not ask for its own. */
const knownMax = 10_000
/** Conversations that are healed at the same time. */
const healAtOnce = 16

/** A conversation whose commits are being applied. */
type Applying = { readonly tenant: string; readonly id: string; waiting: Applied | undefined }
type Dirty = { readonly tenant: string; readonly id: string; readonly version: number }

export class CacheWriter {
  readonly #options: CacheWriterOptions
  readonly #applying = new Map<string, Applying>()
  readonly #dirty = new BoundedMap<string, Dirty>({ max: dirtyMax })
  readonly #known = new BoundedMap<string, Seen>({ max: knownMax })
  /** Called once nothing is being applied. */
  readonly #onIdle: (() => void)[] = []
  /** Bytes that wait for their apply. */
  #bytes = 0

  constructor(options: CacheWriterOptions) {
    this.#options = options
  }

  /** Never throws, never waits. */
  committed(tenant: string, id: string, applied: Applied): void {
    const name = conversationName(tenant, id)
    const applying = this.#applying.get(name)
    const isTooMuch =
      this.#applying.size >= waitingMax || this.#bytes + sizeOf(applied) > waitingBytesMax
    if (isTooMuch || !this.#options.isOpen()) {
      // Drop this conversation's waiting commits: without this one they would leave a gap.
      if (applying?.waiting !== undefined) {
        this.#bytes -= sizeOf(applying.waiting)
        applying.waiting = undefined
      }
      this.#soil(tenant, id, applied.version)
      return
    }
    const before = applying?.waiting
    const waiting = before === undefined ? applied : folded(before, applied)
    // Two as one are less than their sum: what is counted now is what `run` takes away.
    this.#bytes += sizeOf(waiting) - (before === undefined ? 0 : sizeOf(before))
    if (applying === undefined) {
      const started = { tenant, id, waiting }
      this.#applying.set(name, started)
      void this.#run(name, started)
    } else applying.waiting = waiting
  }

  /** Remembers a head that a read or a fill has seen: the next apply need not ask for it. */
  saw(tenant: string, id: string, seen: Seen): void {
    const name = conversationName(tenant, id)
    const before = this.#known.get(name)?.versionstamp ?? ''
    if (before < seen.versionstamp) this.#known.set(name, seen)
    this.#stored(tenant, id, seen)
  }

  /** Leaves no message of it in the cache; false where that could not be done, which is remembered. */
  async erase(tenant: string, id: string, version: number): Promise<boolean> {
    const { entries, isOpen, onFailure } = this.#options
    this.#known.delete(conversationName(tenant, id))
    const askedAt = usableNow()
    try {
      const done = isOpen() && (await entries.erase(tenant, id, version))
      if (!done) this.#soil(tenant, id, version)
      return done
    } catch (thrown) {
      this.#soil(tenant, id, version)
      onFailure('erase', id, thrown, askedAt)
      return false
    }
  }

  /** Marks what is dirty; answers how many were refused. Rejects where the KV is away. */
  async heal(): Promise<number> {
    // Those of now: what comes back under its name waits for the next time.
    const due = [...this.#dirty.values()].values()
    const healers = Array.from({ length: healAtOnce }, () => this.#healAll(due))
    const failed = (await Promise.allSettled(healers)).find(({ status }) => status === 'rejected')
    if (failed?.status === 'rejected') throw failed.reason
    return this.#dirty.size
  }

  /** Whether an apply of the conversation waits or is on its way. */
  isWriting(tenant: string, id: string): boolean {
    return this.#applying.has(conversationName(tenant, id))
  }

  /** Resolves when nothing is being applied. */
  drained(): Promise<void> {
    if (this.#applying.size === 0) return Promise.resolve()
    return new Promise((resolve) => this.#onIdle.push(resolve))
  }

  /** Applies until nothing waits for this conversation. */
  async #run(name: string, applying: Applying): Promise<void> {
    for (let next = applying.waiting; next !== undefined; next = applying.waiting) {
      applying.waiting = undefined
      this.#bytes -= sizeOf(next)
      await this.#apply(name, applying, next)
    }
    this.#applying.delete(name)
    if (this.#applying.size === 0) for (const resolve of this.#onIdle.splice(0)) resolve()
  }

  async #apply(name: string, { tenant, id }: Applying, applied: Applied): Promise<void> {
    const { entries, onAnswer, onFailure } = this.#options
    if (!this.#options.isOpen()) {
      this.#soil(tenant, id, applied.version)
      return
    }
    const askedAt = usableNow()
    try {
      const done = await entries.apply(tenant, id, applied, this.#known.get(name))
      onAnswer(usableNow() - askedAt)
      this.#know(name, done?.seen)
      this.#stored(tenant, id, done?.seen)
      const version = Math.max(applied.version, done?.seen?.head.version ?? 0)
      if (done === undefined) this.#soil(tenant, id, applied.version)
      else if ((this.#dirty.get(name)?.version ?? 0) <= version) this.#dirty.delete(name)
    } catch (thrown) {
      // It may have happened, or may yet: the head that is there then is not known here.
      this.#known.delete(name)
      this.#soil(tenant, id, applied.version)
      onFailure('apply', id, thrown, askedAt)
    }
  }

  async #healAll(due: Iterable<Dirty>): Promise<void> {
    for (const { tenant, id, version } of due) {
      this.#dirty.delete(conversationName(tenant, id))
      try {
        const mark = { from: undefined, version, texts: new Map() }
        const done = await this.#options.entries.apply(tenant, id, mark)
        if (done === undefined) this.#soil(tenant, id, version)
      } catch (thrown) {
        this.#soil(tenant, id, version)
        // What the KV refuses of one conversation must not keep the others from it.
        if (!isRefusal(thrown) || refusesWrites(thrown)) throw thrown
      }
    }
  }

  #soil(tenant: string, id: string, version: number): void {
    const name = conversationName(tenant, id)
    const before = this.#dirty.get(name)?.version ?? 0
    this.#dirty.set(name, { tenant, id, version: Math.max(version, before) })
    this.#options.onDirty()
  }

  #know(name: string, seen: Seen | undefined): void {
    if (seen === undefined) this.#known.delete(name)
    else this.#known.set(name, seen)
  }

  #stored(tenant: string, id: string, seen: Seen | undefined): void {
    if (seen !== undefined && isFull(seen.head))
      this.#options.onStored(tenant, id, seen.head.version)
  }
}

const sizeOf = ({ texts }: Applied): number => {
  let sum = 200
  for (const text of texts.values()) sum += text.byteLength
  return sum
}

/** Two commits as one; a gap between them makes it one that nobody knows. */
function folded(first: Applied, second: Applied): Applied {
  if (second.version <= first.version) return { ...first, from: undefined }
  if (first.version !== second.from) return { ...second, from: undefined }
  return {
    from: first.from,
    version: second.version,
    texts: new Map([...first.texts, ...second.texts]),
  }
}
