/**
 * The key-value port, in the shape of Deno's `Kv`: what Deno's `openKv()` returns satisfies it as it is.
 * It holds what may be lost (caches, hints, interim texts); Postgres is the truth.
 *
 * Guarantees of every adapter:
 * - A commit is all or nothing, and its checks and changes are one moment: nothing comes between.
 *   Changes of one commit apply in their order. An answer `{ ok: false }` changed nothing.
 * - Every entry carries a versionstamp, 20 hexadecimal digits. A key's versionstamps grow as long as
 *   its data survives, and no versionstamp is ever used again: not after a delete, an eviction, the
 *   loss of all data or a restart. So a `check` that passes saw the very entry it names.
 * - What is lost, is lost visibly. Entries whose keys share their first two parts (a partition)
 *   are evicted together or not at all; a list never leaves out a survivor's neighbour.
 * - A store that restarts answers all it had confirmed, if it is durable (Deno's is), or nothing of
 *   it (memory, Redis): never an older state, of a dump or a replica that lags.
 * - A `list` that fits one batch is one snapshot; so is a `getMany` within one partition.
 * - `expireIn` is a lower bound: the entry is there until then, and gone some time after. A later
 *   `set` without it, or a `sum`, `min` or `max`, makes the entry stay.
 * - `watch` answers the entries as they are, then again after commits that changed them. It may skip
 *   what was overwritten meanwhile, never the last; connections that break are its own affair.
 *   Expiry and eviction may go unannounced.
 * - What breaks a limit, and what cannot be stored, is a `TypeError` or `RangeError` and changes nothing.
 *   A store that is away is a `KvError`, within the adapter's deadline.
 * - After `close` every call rejects, every call in flight settles, every watch ends.
 *
 * Keys are ordered part by part: Uint8Array < string < bigint < number < false < true; bytes and
 * strings by their bytes (UTF-8), numbers and bigints by value, a key before those it begins.
 *
 * Values are what JSON has, and bigint, Date and Uint8Array, at any depth. Anything else is a
 * `TypeError`. (Deno stores more; nobody may rely on it.) Bytes count as they are against a limit; a
 * string's size is the store's affair: UTF-8 here, in Deno two bytes for each of its UTF-16 units once
 * one of them is above 255. Bytes that are answered are the caller's own, but may be a view of a
 * larger buffer, of a whole list: what is kept for long is better copied.
 *
 * An adapter may serve one partition at a time, as Redis does: `atomic` over several of them, and a
 * `list` whose selector does not name the first two parts, are then a `TypeError`.
 */
export interface Kv extends Disposable {
  get<T = unknown>(key: KvKey, options?: KvReadOptions): Promise<KvEntryMaybe<T>>

  /** Ten keys at most; entries in the keys' order. */
  getMany<T extends readonly unknown[]>(
    keys: readonly [...{ [K in keyof T]: KvKey }],
    options?: KvReadOptions,
  ): Promise<{ [K in keyof T]: KvEntryMaybe<T[K]> }>

  set(key: KvKey, value: unknown, options?: KvSetOptions): Promise<KvCommitResult>

  delete(key: KvKey): Promise<void>

  /** Entries in the order of their keys, fetched batch by batch as they are asked for. */
  list<T = unknown>(selector: KvListSelector, options?: KvListOptions): KvListIterator<T>

  atomic(): KvAtomic

  /** Ten keys at most. Nothing is read while nobody asks the stream for more. */
  watch<T extends readonly unknown[]>(
    keys: readonly [...{ [K in keyof T]: KvKey }],
  ): ReadableStream<{ [K in keyof T]: KvEntryMaybe<T[K]> }>

  /** Lets go of everything at once; what is in flight rejects. */
  close(): void
}

export type KvKey = readonly KvKeyPart[]

/** A symbol is in Deno's type, and refused by every adapter. */
export type KvKeyPart = Uint8Array | string | number | bigint | boolean | symbol

export type KvEntry<T> = {
  readonly key: KvKey
  readonly value: T
  readonly versionstamp: string
}

/**
 * An entry, or that there is none. The latter is Deno's type to the letter, without `readonly`:
 * else TypeScript finds Deno's generic methods to answer something else.
 */
export type KvEntryMaybe<T> = KvEntry<T> | { key: KvKey; value: null; versionstamp: null }

/** `eventual` may answer from a replica, where there is one. */
export type KvConsistencyLevel = 'strong' | 'eventual'

export type KvReadOptions = { readonly consistency?: KvConsistencyLevel }

/** Milliseconds, whole and not negative; 2^47 at most. */
export type KvSetOptions = { readonly expireIn?: number }

/** `start` is included, `end` is not; a prefix selects what goes on from it, not the key itself. */
export type KvListSelector =
  | { prefix: KvKey }
  | { prefix: KvKey; start: KvKey }
  | { prefix: KvKey; end: KvKey }
  | { start: KvKey; end: KvKey }

export type KvListOptions = {
  readonly limit?: number
  /** Goes on behind the entry at which an iterator of the same selector had this cursor. */
  readonly cursor?: string
  readonly reverse?: boolean
  readonly consistency?: KvConsistencyLevel
  /** Entries fetched at a time: 100 without, 1000 at most, never more than `limit`. */
  readonly batchSize?: number
}

export interface KvListIterator<T> extends AsyncIterableIterator<KvEntry<T>> {
  /** Of the entry answered last; empty once nothing follows. Throws before the first. */
  readonly cursor: string
}

export type KvCommitResult = { readonly ok: true; readonly versionstamp: string }
export type KvCommitError = { readonly ok: false }

/** `versionstamp: null` demands that the key has no entry. */
export type KvCheck = { readonly key: KvKey; readonly versionstamp: string | null }

/** What is collected here is judged and sent by `commit`, once. */
export interface KvAtomic {
  check(...checks: { key: KvKey; versionstamp: string | null }[]): this
  set(key: KvKey, value: unknown, options?: { expireIn?: number }): this
  delete(key: KvKey): this
  /** Adds modulo 2^64 to a counter; a missing one is made. Anything else there is a TypeError. */
  sum(key: KvKey, n: bigint): this
  min(key: KvKey, n: bigint): this
  max(key: KvKey, n: bigint): this
  commit(): Promise<KvCommitResult | KvCommitError>
}

/** A counter as it is read: what `sum`, `min` and `max` leave behind. */
export type KvCounter = { readonly value: bigint }

/**
 * What is known of a call that failed:
 * - `refused`: the store answered an error; nothing was changed.
 * - `not-sent`: nothing was sent.
 * - `unknown`: no answer came; a commit may have happened, or may yet.
 */
export type KvOutcome = 'refused' | 'not-sent' | 'unknown'

export class KvError extends Error {
  override readonly name = 'KvError'
  readonly outcome: KvOutcome
  /**
   * Whether the store takes no writes now, whatever their key: it is a replica, is full, cannot save
   * its data, or this user may not write. Reads may go on, and what they answer grows old.
   */
  readonly refusesWrites: boolean

  constructor(outcome: KvOutcome, message: string, options: { refusesWrites?: boolean } = {}) {
    super(message)
    this.outcome = outcome
    this.refusesWrites = options.refusesWrites ?? false
  }
}
