/** CacheEntries is a conversation's cached history in the KV: the rule's decisions, each made in one commit. */
import type { Kv } from '../../ports/kv.ts'
import { kvKeys } from '../wire/kv-keys.ts'
import {
  type Applied,
  type CacheRule,
  type Change,
  type Entry,
  type Head,
  isFull,
  isHead,
  stayMs,
  stubOf,
} from './rule.ts'
import { type Window, windowBounds } from './window.ts'

/** A head as it was seen: whoever changes it names the versionstamp. */
export type Seen = { readonly head: Head; readonly versionstamp: string }

/** `seen` is undefined where another node is writing: then nothing may be filled. */
export type CacheRead =
  | { readonly kind: 'window'; readonly window: Window; readonly seen: Seen }
  | { readonly kind: 'miss'; readonly seen: Seen | undefined }

export type CacheEntriesOptions = {
  readonly kv: Kv
  readonly rule: CacheRule
  /** Milliseconds that an entry stays after it was written. */
  readonly ttlMs: number
}

/** The newest entries, and the head before them: of one moment. */
type Listed = { readonly seen: Seen | undefined; readonly entries: readonly Entry[] }

const attempts = 3

/** Far below what one commit may change. */
const deletesMax = 500

const unchanged = { put: new Map<number, Uint8Array>(), drop: [] }

/** Every method rejects with what the KV rejects with. */
export class CacheEntries {
  readonly #kv: Kv
  readonly #rule: CacheRule
  readonly #ttlMs: number

  constructor({ kv, rule, ttlMs }: CacheEntriesOptions) {
    this.#kv = kv
    this.#rule = rule
    this.#ttlMs = ttlMs
  }

  /** The newest `count` messages as far as the window goes. A miss leaves a stub. */
  async read(tenant: string, id: string, count: number): Promise<CacheRead> {
    const { seen, entries } = await this.#list(tenant, id, count + 1)
    if (seen === undefined) {
      const stub = { head: stubOf(0), ...unchanged }
      return { kind: 'miss', seen: await this.#change(tenant, id, null, stub) }
    }
    const window = isFull(seen.head) ? this.#rule.window(seen.head, entries, count) : undefined
    return window === undefined ? { kind: 'miss', seen } : { kind: 'window', window, seen }
  }

  /** The whole window, or undefined. A miss leaves nothing. */
  async peek(tenant: string, id: string): Promise<Window | undefined> {
    const { seen, entries } = await this.#list(tenant, id, windowBounds.messages + 1)
    if (seen === undefined || !isFull(seen.head)) return undefined
    return this.#rule.window(seen.head, entries, windowBounds.messages)
  }

  /**
   * Answers the head that is there now, if any; undefined where another writer was faster, each time.
   * `known` saves asking for the head.
   */
  async apply(
    tenant: string,
    id: string,
    applied: Applied,
    known?: Seen,
  ): Promise<{ readonly seen: Seen | undefined } | undefined> {
    for (let attempt = 1; attempt <= attempts; attempt += 1) {
      const remembered = attempt === 1 ? known : undefined
      const seen = remembered ?? (await this.#head(tenant, id))
      const next = this.#rule.apply(seen?.head, applied)
      if (next === undefined) {
        // No commit proves that the head is still what was remembered: a look does.
        if (remembered !== undefined) continue
        return { seen }
      }
      const done = await this.#change(tenant, id, seen?.versionstamp ?? null, next)
      if (done !== undefined) return { seen: done }
    }
    return undefined
  }

  /** The new head, if the snapshot, taken after `seen` was, became the window. */
  async fill(tenant: string, id: string, seen: Seen, snapshot: Window): Promise<Seen | undefined> {
    const next = this.#rule.fill(seen.head, snapshot)
    return next === undefined ? undefined : await this.#change(tenant, id, seen.versionstamp, next)
  }

  /** Leaves no message and a stub at the version. False where others were faster, each time. */
  erase(tenant: string, id: string, version: number): Promise<boolean> {
    return this.#empty(tenant, id, (head) =>
      // A later version than an erasure's is another erasure's: the last there is.
      stubOf(Math.max(version, head?.version ?? 0)),
    )
  }

  /** Leaves nothing at all, where no version is to be believed. False where others were faster. */
  forget(tenant: string, id: string): Promise<boolean> {
    return this.#empty(tenant, id, () => undefined)
  }

  async #head(tenant: string, id: string): Promise<Seen | undefined> {
    const { value, versionstamp } = await this.#kv.get(kvKeys.head(tenant, id))
    return isHead(value) && versionstamp !== null ? { head: value, versionstamp } : undefined
  }

  async #change(
    tenant: string,
    id: string,
    versionstamp: string | null,
    { head, put, drop }: Change,
  ): Promise<Seen | undefined> {
    const key = kvKeys.head(tenant, id)
    const commit = this.#kv.atomic().check({ key, versionstamp })
    for (const seq of drop) commit.delete(kvKeys.message(tenant, id, seq))
    for (const [seq, text] of put)
      commit.set(kvKeys.message(tenant, id, seq), text, { expireIn: this.#ttlMs })
    commit.set(key, head, { expireIn: stayMs(head.full, this.#ttlMs) })
    const result = await commit.commit()
    return result.ok ? { head, versionstamp: result.versionstamp } : undefined
  }

  /** Reads in one batch, so as of one moment. */
  async #list(tenant: string, id: string, limit: number): Promise<Listed> {
    let seen: Seen | undefined
    const entries: Entry[] = []
    const list = this.#kv.list<unknown>(
      { prefix: kvKeys.history(tenant, id) },
      { reverse: true, limit, batchSize: limit },
    )
    for await (const { key, value, versionstamp } of list) {
      const seq = key[2]
      if (isHead(value)) seen = { head: value, versionstamp }
      else if (typeof seq === 'number' && value instanceof Uint8Array)
        entries.push({ seq, text: value })
    }
    return { seen, entries }
  }

  /** Deletes every message and leaves the head that `next` answers; in one commit, where they are few. */
  async #empty(
    tenant: string,
    id: string,
    next: (head: Head | undefined) => Head | undefined,
  ): Promise<boolean> {
    const key = kvKeys.head(tenant, id)
    for (let attempt = 1; attempt <= attempts; ) {
      const { seen, entries } = await this.#list(tenant, id, deletesMax)
      const head = next(seen?.head)
      const commit = this.#kv.atomic().check({ key, versionstamp: seen?.versionstamp ?? null })
      for (const { seq } of entries) commit.delete(kvKeys.message(tenant, id, seq))
      if (head === undefined) commit.delete(key)
      else commit.set(key, head, { expireIn: stayMs(head.full, this.#ttlMs) })
      const result = await commit.commit()
      if (!result.ok) attempt += 1
      else if (entries.length < deletesMax - 1) return true
    }
    return false
  }
}
