/** A conversation's cached history in the key-value store: the rule's decisions, each made in one commit. */
import type { Kv } from '../../ports/kv.ts'
import {
  type Applied,
  type CacheRule,
  type Change,
  type Entry,
  type Head,
  historyKeys,
  isFull,
  isHead,
  stayMs,
  stubOf,
} from './rule.ts'
import { type Window, windowBounds } from './window.ts'

/** A head as it was seen: whoever changes it names the versionstamp. */
export type Seen = { readonly head: Head; readonly versionstamp: string }

/** `seen` is undefined where somebody else is at it: then nothing may be filled. */
export type CacheRead =
  | { readonly kind: 'window'; readonly window: Window; readonly seen: Seen }
  | { readonly kind: 'miss'; readonly seen: Seen | undefined }

/** Every function rejects with what the store rejects with. */
export type CacheEntries = {
  /** The newest `count` messages as far as the window goes. A miss leaves a stub. */
  read(tenant: string, id: string, count: number): Promise<CacheRead>
  /** The whole window, or undefined; leaves nothing. */
  peek(tenant: string, id: string): Promise<Window | undefined>
  /**
   * Answers the head that is there now, if any; undefined where another writer was faster, each time.
   * `known` saves asking for the head.
   */
  apply(
    tenant: string,
    id: string,
    applied: Applied,
    known?: Seen,
  ): Promise<{ readonly seen: Seen | undefined } | undefined>
  /** Whether the snapshot, taken after `seen` was, became the window. */
  fill(tenant: string, id: string, seen: Seen, snapshot: Window): Promise<Seen | undefined>
  /** Leaves no message and a stub at the version. False where others were faster, each time. */
  erase(tenant: string, id: string, version: number): Promise<boolean>
  /** Leaves nothing at all, where no version is to be believed. False where others were faster. */
  forget(tenant: string, id: string): Promise<boolean>
}

const attempts = 3

/** Far below what one commit may change. */
const deletesMax = 500

export function createCacheEntries(options: {
  readonly kv: Kv
  readonly rule: CacheRule
  readonly ttlMs: number
}): CacheEntries {
  const { kv, rule, ttlMs } = options

  const headOf = async (tenant: string, id: string): Promise<Seen | undefined> => {
    const { value, versionstamp } = await kv.get(historyKeys.head(tenant, id))
    return isHead(value) && versionstamp !== null ? { head: value, versionstamp } : undefined
  }

  const change = async (
    tenant: string,
    id: string,
    versionstamp: string | null,
    { head, put, drop }: Change,
  ): Promise<Seen | undefined> => {
    const key = historyKeys.head(tenant, id)
    const commit = kv.atomic().check({ key, versionstamp })
    for (const seq of drop) commit.delete(historyKeys.message(tenant, id, seq))
    for (const [seq, text] of put)
      commit.set(historyKeys.message(tenant, id, seq), text, { expireIn: ttlMs })
    commit.set(key, head, { expireIn: stayMs(head.full, ttlMs) })
    const result = await commit.commit()
    return result.ok ? { head, versionstamp: result.versionstamp } : undefined
  }

  /** The newest entries, and the head before them: one batch, so one moment. */
  const listed = async (tenant: string, id: string, limit: number) => {
    let seen: Seen | undefined
    const entries: Entry[] = []
    const list = kv.list<unknown>(
      { prefix: historyKeys.prefix(tenant, id) },
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
  const emptied = async (
    tenant: string,
    id: string,
    next: (head: Head | undefined) => Head | undefined,
  ): Promise<boolean> => {
    const key = historyKeys.head(tenant, id)
    for (let attempt = 1; attempt <= attempts; ) {
      const { seen, entries } = await listed(tenant, id, deletesMax)
      const head = next(seen?.head)
      const commit = kv.atomic().check({ key, versionstamp: seen?.versionstamp ?? null })
      for (const { seq } of entries) commit.delete(historyKeys.message(tenant, id, seq))
      if (head === undefined) commit.delete(key)
      else commit.set(key, head, { expireIn: stayMs(head.full, ttlMs) })
      const result = await commit.commit()
      if (!result.ok) attempt += 1
      else if (entries.length < deletesMax - 1) return true
    }
    return false
  }

  return {
    async read(tenant, id, count) {
      const { seen, entries } = await listed(tenant, id, count + 1)
      if (seen === undefined)
        return { kind: 'miss', seen: await change(tenant, id, null, { head: stubOf(0), ...none }) }
      const window = isFull(seen.head) ? rule.window(seen.head, entries, count) : undefined
      return window === undefined ? { kind: 'miss', seen } : { kind: 'window', window, seen }
    },

    async peek(tenant, id) {
      const { seen, entries } = await listed(tenant, id, windowBounds.messages + 1)
      if (seen === undefined || !isFull(seen.head)) return undefined
      return rule.window(seen.head, entries, windowBounds.messages)
    },

    async apply(tenant, id, applied, known) {
      for (let attempt = 1; attempt <= attempts; attempt += 1) {
        const remembered = attempt === 1 ? known : undefined
        const seen = remembered ?? (await headOf(tenant, id))
        const next = rule.apply(seen?.head, applied)
        if (next === undefined) {
          // No commit proves that the head is still what was remembered: a look does.
          if (remembered !== undefined) continue
          return { seen }
        }
        const done = await change(tenant, id, seen?.versionstamp ?? null, next)
        if (done !== undefined) return { seen: done }
      }
      return undefined
    },

    async fill(tenant, id, seen, snapshot) {
      const next = rule.fill(seen.head, snapshot)
      return next === undefined ? undefined : await change(tenant, id, seen.versionstamp, next)
    },

    erase: (tenant, id, version) =>
      emptied(tenant, id, (head) =>
        // A later version than an erasure's is another erasure's: the last there is.
        stubOf(Math.max(version, head?.version ?? 0)),
      ),

    forget: (tenant, id) => emptied(tenant, id, () => undefined),
  }
}

const none = { put: new Map<number, Uint8Array>(), drop: [] }
