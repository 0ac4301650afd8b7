/**
 * CacheEntries reads and writes the cached histories of conversations in the KV. `rule.ts` decides
 * what to write, and each of its decisions is one commit of the KV.
 */
import type { Kv } from '../../ports/kv.ts'
import { kvKeys } from '../wire/kv-keys.ts'
import {
  type CacheRule,
  type CacheUpdate,
  type CacheWrite,
  type Entry,
  type Head,
  headTtlMs,
  isFull,
  isHead,
  stubOf,
} from './rule.ts'
import { type Window, windowBounds } from './window.ts'

/**
 * A head as it was read. A commit that changes the head succeeds only if the head still has this
 * versionstamp.
 */
export type HeadEntry = { readonly head: Head; readonly versionstamp: string }

/**
 * A miss has no `headEntry` if another node wrote the head at the same moment. Such a miss must
 * not be filled.
 */
export type CacheRead =
  | { readonly kind: 'window'; readonly window: Window; readonly headEntry: HeadEntry }
  | { readonly kind: 'miss'; readonly headEntry: HeadEntry | undefined }

export type CacheEntriesOptions = {
  readonly kv: Kv
  readonly rule: CacheRule
  /** Milliseconds that an entry is kept after it was written. */
  readonly ttlMs: number
}

/** The newest entries and their head, read at one moment. */
type EntryList = { readonly headEntry: HeadEntry | undefined; readonly entries: readonly Entry[] }

const attemptsMax = 3

/** The maximum number of entries deleted in one commit, far below the limit of the KV. */
const deletesMax = 500

const unchanged = { texts: new Map<number, Uint8Array>(), droppedSeqs: [] }

/** Every method rejects with the failures of the KV. */
export class CacheEntries {
  readonly #kv: Kv
  readonly #rule: CacheRule
  readonly #ttlMs: number

  constructor({ kv, rule, ttlMs }: CacheEntriesOptions) {
    this.#kv = kv
    this.#rule = rule
    this.#ttlMs = ttlMs
  }

  /**
   * Returns the newest messages, at most `count`, as far as the window holds them. A miss writes a
   * stub if there is no head.
   */
  async read(tenant: string, id: string, count: number): Promise<CacheRead> {
    const { headEntry, entries } = await this.#list(tenant, id, count + 1)
    if (headEntry === undefined) {
      const stub = { head: stubOf(0), ...unchanged }
      return { kind: 'miss', headEntry: await this.#change(tenant, id, null, stub) }
    }
    const window = isFull(headEntry.head)
      ? this.#rule.window(headEntry.head, entries, count)
      : undefined
    return window === undefined
      ? { kind: 'miss', headEntry }
      : { kind: 'window', window, headEntry }
  }

  /** Returns the whole window, or undefined. It writes nothing. */
  async peek(tenant: string, id: string): Promise<Window | undefined> {
    const { headEntry, entries } = await this.#list(tenant, id, windowBounds.messages + 1)
    if (headEntry === undefined || !isFull(headEntry.head)) return undefined
    return this.#rule.window(headEntry.head, entries, windowBounds.messages)
  }

  /**
   * Applies an update. Returns the head entry that is stored afterwards, if there is one, or
   * undefined if another writer was faster at every attempt. A `knownHead` saves reading the head.
   */
  async apply(
    tenant: string,
    id: string,
    update: CacheUpdate,
    knownHead?: HeadEntry,
  ): Promise<{ readonly headEntry: HeadEntry | undefined } | undefined> {
    for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
      const remembered = attempt === 1 ? knownHead : undefined
      const headEntry = remembered ?? (await this.#head(tenant, id))
      const next = this.#rule.apply(headEntry?.head, update)
      if (next === undefined) {
        // Nothing is written, so no check confirms the known head: read the head and decide again.
        if (remembered !== undefined) continue
        return { headEntry }
      }
      const done = await this.#change(tenant, id, headEntry?.versionstamp ?? null, next)
      if (done !== undefined) return { headEntry: done }
    }
    return undefined
  }

  /**
   * Replaces the window by the snapshot, which must be taken after `headEntry` was read. Returns the
   * new head, or undefined if the head has changed since.
   */
  async fill(
    tenant: string,
    id: string,
    headEntry: HeadEntry,
    snapshot: Window,
  ): Promise<HeadEntry | undefined> {
    const next = this.#rule.fill(headEntry.head, snapshot)
    return next === undefined
      ? undefined
      : await this.#change(tenant, id, headEntry.versionstamp, next)
  }

  /**
   * Deletes every message and leaves a stub. Returns false if another writer was faster at every
   * attempt.
   */
  erase(tenant: string, id: string, version: number): Promise<boolean> {
    return this.#empty(tenant, id, (head) =>
      // Only another erasure can follow an erasure: the higher version counts.
      stubOf(Math.max(version, head?.version ?? 0)),
    )
  }

  /**
   * Deletes messages and head, because no version can be trusted. Returns false if another writer was
   * faster at every attempt.
   */
  forget(tenant: string, id: string): Promise<boolean> {
    return this.#empty(tenant, id, () => undefined)
  }

  async #head(tenant: string, id: string): Promise<HeadEntry | undefined> {
    const { value, versionstamp } = await this.#kv.get(kvKeys.head(tenant, id))
    return isHead(value) && versionstamp !== null ? { head: value, versionstamp } : undefined
  }

  async #change(
    tenant: string,
    id: string,
    versionstamp: string | null,
    { head, texts, droppedSeqs }: CacheWrite,
  ): Promise<HeadEntry | undefined> {
    const key = kvKeys.head(tenant, id)
    const commit = this.#kv.atomic().check({ key, versionstamp })
    for (const seq of droppedSeqs) commit.delete(kvKeys.message(tenant, id, seq))
    for (const [seq, text] of texts)
      commit.set(kvKeys.message(tenant, id, seq), text, { expireIn: this.#ttlMs })
    commit.set(key, head, { expireIn: headTtlMs(head.full, this.#ttlMs) })
    const result = await commit.commit()
    return result.ok ? { head, versionstamp: result.versionstamp } : undefined
  }

  /** Reads head and entries in one batch, so that they are from one moment. */
  async #list(tenant: string, id: string, limit: number): Promise<EntryList> {
    let headEntry: HeadEntry | undefined
    const entries: Entry[] = []
    const list = this.#kv.list<unknown>(
      { prefix: kvKeys.history(tenant, id) },
      { reverse: true, limit, batchSize: limit },
    )
    for await (const { key, value, versionstamp } of list) {
      const seq = key[2]
      if (isHead(value)) headEntry = { head: value, versionstamp }
      else if (typeof seq === 'number' && value instanceof Uint8Array)
        entries.push({ seq, text: value })
    }
    return { headEntry, entries }
  }

  /**
   * Deletes every message and leaves the head that `next` returns. This is one commit, unless there
   * are more than `deletesMax` entries.
   */
  async #empty(
    tenant: string,
    id: string,
    next: (head: Head | undefined) => Head | undefined,
  ): Promise<boolean> {
    const key = kvKeys.head(tenant, id)
    for (let attempt = 1; attempt <= attemptsMax; ) {
      const { headEntry, entries } = await this.#list(tenant, id, deletesMax)
      const head = next(headEntry?.head)
      const commit = this.#kv.atomic().check({ key, versionstamp: headEntry?.versionstamp ?? null })
      for (const { seq } of entries) commit.delete(kvKeys.message(tenant, id, seq))
      if (head === undefined) commit.delete(key)
      else commit.set(key, head, { expireIn: headTtlMs(head.full, this.#ttlMs) })
      const result = await commit.commit()
      if (!result.ok) attempt += 1
      else if (entries.length < deletesMax - 1) return true
    }
    return false
  }
}
