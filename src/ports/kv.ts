/**
 * The key-value port (the KV), in the shape of Deno's `Kv`: the object that Deno's `openKv()`
 * returns is a `Kv` without an adapter. The KV holds data that may be lost: caches, hints and
 * partials. Postgres holds the truth.
 *
 * Guarantees of every adapter:
 * - A commit applies all of its changes, in their order, or none. No other commit comes between its
 *   checks and its changes. A commit that returns `{ ok: false }` has changed nothing.
 * - Every entry has a versionstamp of 20 hexadecimal digits. The versionstamps of a key grow while
 *   its data survives. No versionstamp is ever used a second time: not after a delete, an eviction,
 *   a loss of all data or a restart. A `check` that passes has therefore found the very entry that
 *   it names.
 * - A loss is visible. Entries whose keys share their first two parts are a partition; the KV
 *   evicts all entries of a partition or none, so a list never has a gap.
 * - A KV that restarts has all data that it had confirmed, if it is durable (Deno's is), or no data
 *   (memory, Redis). It never returns to an older state, such as a dump or a replica that lags.
 * - A `list` that fits in one batch returns a snapshot of one moment. So does a `getMany` within one
 *   partition.
 * - `expireIn` is a lower bound: the entry exists until then and disappears some time after. A
 *   later `set` without `expireIn`, a `sum`, a `min` or a `max` makes the entry permanent.
 * - `watch` emits the current entries, then emits them again after commits that changed them. It
 *   may skip states that were overwritten in between, but never the last state. It reconnects by
 *   itself. It need not report an expiry or an eviction.
 * - A call that breaks a limit, or passes a value that cannot be stored, fails with a `TypeError`
 *   or a `RangeError` and changes nothing. A call of a KV that is away fails with a `KvError`
 *   within the adapter's deadline.
 * - After `close`, every call rejects, every call in flight settles and every watch ends.
 *
 * The order of keys: keys are compared part by part. Types rank Uint8Array < string < bigint <
 * number < false < true. Bytes are compared as bytes, strings by their UTF-8 bytes, and numbers
 * and bigints by value. A key comes before the longer keys that begin with it.
 *
 * Values are JSON values, bigint, Date and Uint8Array, at any depth. Any other value is a
 * `TypeError`. (Deno stores more types; code of this project must not use them.)
 *
 * The size of a value is limited to 65,536 bytes. A Uint8Array counts its bytes. Each KV measures
 * strings in its own way: here in UTF-8, in Deno as two bytes for each UTF-16 unit if one of the
 * units is above 255.
 *
 * The caller owns the bytes that a read returns. They may be a view of a larger buffer, such as the
 * reply of a whole list: copy bytes that are kept for long.
 *
 * An adapter may be limited to one partition for each call, as Redis is. An `atomic` over several
 * partitions, and a `list` whose selector does not name the first two key parts, are then a
 * `TypeError`.
 */
export interface Kv extends Disposable {
  /**
   * Reads one entry.
   * @param key The key: it may have 2,048 bytes at most when encoded.
   * @param options The consistency of the read. @default strong
   * @returns The entry; its value and its versionstamp are null if the KV has no such entry.
   * @throws KvError The KV is away. TypeError: the key breaks a limit.
   */
  get<T = unknown>(key: KvKey, options?: KvReadOptions): Promise<KvEntryMaybe<T>>

  /**
   * Reads several entries. The result is a snapshot of one moment if the keys are of one partition.
   * @param keys The keys: there may be 10 at most.
   * @param options The consistency of the read. @default strong
   * @returns The entries, in the order of `keys`.
   * @throws KvError The KV is away. TypeError: there are too many keys, or a key breaks a limit.
   */
  getMany<T extends readonly unknown[]>(
    keys: readonly [...{ [K in keyof T]: KvKey }],
    options?: KvReadOptions,
  ): Promise<{ [K in keyof T]: KvEntryMaybe<T[K]> }>

  /**
   * Writes one entry, in place of an earlier one.
   * @param key The key: it is not empty, and may have 2,048 bytes at most when encoded.
   * @param value The value: it may have 65,536 bytes at most.
   * @param options When the entry may expire. @default It stays.
   * @returns The versionstamp of the new entry.
   * @throws KvError The KV is away or refuses the write. TypeError: a limit is broken.
   */
  set(key: KvKey, value: unknown, options?: KvSetOptions): Promise<KvCommitResult>

  /**
   * Deletes an entry. It succeeds if there is no such entry.
   * @throws KvError The KV is away or refuses the write. TypeError: the key breaks a limit.
   */
  delete(key: KvKey): Promise<void>

  /**
   * Lists entries in the order of their keys.
   * @param selector The range of keys.
   * @param options How many entries, from which cursor, in which direction.
   * @returns An iterator. It fetches each batch when the caller has used up the one before.
   * @throws TypeError The selector or an option is wrong: here, or from the first `next`. `next`
   *   also rejects with a `KvError` if the KV is away.
   */
  list<T = unknown>(selector: KvListSelector, options?: KvListOptions): KvListIterator<T>

  /** Begins a commit of several checks and changes. Nothing is sent before its `commit`. */
  atomic(): KvAtomic

  /**
   * Watches entries. The stream emits all of them, in the order of `keys`, first as they are and
   * again after changes. It reads the KV only while the caller waits for the next item.
   * @param keys The keys: there may be 10 at most.
   * @throws TypeError There are too many keys, or a key breaks a limit.
   */
  watch<T extends readonly unknown[]>(
    keys: readonly [...{ [K in keyof T]: KvKey }],
  ): ReadableStream<{ [K in keyof T]: KvEntryMaybe<T[K]> }>

  /** Closes the KV at once: calls in flight reject and watches end. */
  close(): void
}

/** A key: a list of parts. Its first two parts name its partition. */
export type KvKey = readonly KvKeyPart[]

/** One part of a key. Deno's type has the symbol; every adapter refuses it with a `TypeError`. */
export type KvKeyPart = Uint8Array | string | number | bigint | boolean | symbol

/** An entry as a read returns it. The versionstamp has 20 hexadecimal digits. */
export type KvEntry<T> = {
  readonly key: KvKey
  readonly value: T
  readonly versionstamp: string
}

/**
 * An entry, or the answer that there is none. The second half copies Deno's type, without
 * `readonly`: with it, TypeScript no longer takes Deno's generic methods for methods of this port.
 */
export type KvEntryMaybe<T> = KvEntry<T> | { key: KvKey; value: null; versionstamp: null }

/** A `strong` read sees all earlier commits. An `eventual` read may be answered by a replica. */
export type KvConsistencyLevel = 'strong' | 'eventual'

/** Options of a read. */
export type KvReadOptions = {
  /** @default strong */
  readonly consistency?: KvConsistencyLevel
}

/** Options of a write. */
export type KvSetOptions = {
  /** Milliseconds that the entry exists at least: an integer from 0 to 2^47. @default It stays. */
  readonly expireIn?: number
}

/**
 * A range of keys. `start` is included and `end` is excluded. A prefix selects the longer keys that
 * begin with it, and not the key that equals it.
 */
export type KvListSelector =
  | { prefix: KvKey }
  | { prefix: KvKey; start: KvKey }
  | { prefix: KvKey; end: KvKey }
  | { start: KvKey; end: KvKey }

/** Options of a list. */
export type KvListOptions = {
  /** The most entries in all. @default all */
  readonly limit?: number
  /**
   * The list continues after the entry at which an iterator of the same selector had this cursor.
   */
  readonly cursor?: string
  /** Whether the last key comes first. @default false */
  readonly reverse?: boolean
  /** @default strong */
  readonly consistency?: KvConsistencyLevel
  /** The entries of one fetch: at most 1,000, and at most `limit`. @default 100 */
  readonly batchSize?: number
}

/** The iterator of a list. */
export interface KvListIterator<T> extends AsyncIterableIterator<KvEntry<T>> {
  /**
   * The cursor of the entry returned last; empty after the end of the list. Reading it before the
   * first entry throws an `Error`.
   */
  readonly cursor: string
}

/** The result of a commit that was applied. All entries that it wrote have this versionstamp. */
export type KvCommitResult = { readonly ok: true; readonly versionstamp: string }
/** The result of a commit whose check failed. Nothing was changed. */
export type KvCommitError = { readonly ok: false }

/** A condition of a commit: the key has this versionstamp, or, with null, no entry. */
export type KvCheck = { readonly key: KvKey; readonly versionstamp: string | null }

/**
 * Checks and changes that `commit` sends together, once: at most 100 checks, 1,000 changes, 81,920
 * bytes of keys and 819,200 bytes of keys and values. A wrong value throws a `TypeError` or a
 * `RangeError` in the call that adds it; a broken limit rejects `commit`.
 */
export interface KvAtomic {
  /** Adds checks. The commit applies nothing unless all of them hold. */
  check(...checks: { key: KvKey; versionstamp: string | null }[]): this
  /** Adds a write. `expireIn` is in milliseconds. @default The entry stays. */
  set(key: KvKey, value: unknown, options?: { expireIn?: number }): this
  /** Adds a deletion. */
  delete(key: KvKey): this
  /**
   * Adds `n` to a counter, modulo 2^64. A missing counter becomes `n`. `commit` rejects with a
   * `TypeError` if the entry is not a counter.
   */
  sum(key: KvKey, n: bigint): this
  /** Sets a counter to the smaller of its value and `n`, otherwise as `sum`. */
  min(key: KvKey, n: bigint): this
  /** Sets a counter to the greater of its value and `n`, otherwise as `sum`. */
  max(key: KvKey, n: bigint): this
  /**
   * Sends the commit.
   * @returns The versionstamp of all entries that it wrote, or `{ ok: false }` if a check failed.
   * @throws KvError The KV is away or refuses the write. TypeError: a limit is broken, or an entry
   *   is no counter.
   */
  commit(): Promise<KvCommitResult | KvCommitError>
}

/** A counter as a read returns it: an entry that `sum`, `min` or `max` made. */
export type KvCounter = { readonly value: bigint }

/**
 * The known outcome of a failed call:
 * - `refused`: the KV answered with an error and changed nothing.
 * - `not-sent`: nothing was sent.
 * - `unknown`: no answer arrived. The KV may have applied the commit, or may still apply it.
 */
export type KvOutcome = 'refused' | 'not-sent' | 'unknown'

/** A call of the KV failed. The message names the server and holds no secrets. */
export class KvError extends Error {
  override readonly name = 'KvError'
  readonly outcome: KvOutcome
  /**
   * Whether the KV accepts no write at the moment, of any key: it is a replica, is full, cannot
   * save its data, or this user has no right to write. Reads may continue, and their answers become
   * old.
   * @default false
   */
  readonly refusesWrites: boolean

  constructor(outcome: KvOutcome, message: string, options: { refusesWrites?: boolean } = {}) {
    super(message)
    this.outcome = outcome
    this.refusesWrites = options.refusesWrites ?? false
  }
}
