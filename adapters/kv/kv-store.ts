/**
 * KvStore is the part that each adapter implements: five functions over encoded keys and values.
 * `createKv` turns a KvStore into a `Kv`, with the same limits, selectors, cursors, values and
 * watches for every adapter.
 *
 * An encoded key is a string with one character for each byte; `<` is the order of keys. The
 * functions return an answer or a promise of it. They reject with a `KvError` if the store is away.
 */
export interface KvStore {
  /**
   * Reads entries. The result is a snapshot of one moment if the keys are of one partition.
   * @returns The entries in the order of `keys`, undefined for each missing one.
   */
  read(keys: readonly string[]): Answer<readonly (Stored | undefined)[]>

  /** Reads a snapshot of the first entries of a range, in its direction: `limit` of them or fewer. */
  scan(range: KeyRange): Answer<Scanned>

  /**
   * Applies all changes, in their order, if every check holds. No other commit comes in between.
   * @returns The versionstamp. It is greater than those of all entries that it replaces, and was
   *   never used before. Undefined if a check failed.
   * @throws TypeError A `sum`, `min` or `max` meets an entry that is not a counter.
   */
  commit(checks: readonly Check[], changes: readonly Change[]): Answer<string | undefined>

  /**
   * Watches keys. Calls `onChange` when the watch has begun, after each change of one of the keys,
   * and whenever a change may have been missed. Further calls do no harm.
   * @returns A function that ends the watch.
   */
  listen(keys: readonly string[], onChange: () => void): () => void

  /** Closes the store. Calls in flight reject. It is called once. */
  close(): void
}

/** An answer at once, or a promise of it. */
export type Answer<T> = T | Promise<T>

/** An entry in its encoded form. */
export type Stored = {
  readonly key: string
  /**
   * The encoded value. A Buffer is passed to the caller of the port without a copy, so nothing else
   * may change it. Any other array is copied.
   */
  readonly value: Uint8Array
  /** 20 hexadecimal digits. */
  readonly versionstamp: string
}

/**
 * A range of encoded keys. `from` is included, `until` is excluded. `reverse`: the last key first.
 */
export type KeyRange = {
  readonly from: string
  readonly until: string
  readonly reverse: boolean
  readonly limit: number
}

/** The entries of a scan. `more` is false if no entry follows them in the range. */
export type Scanned = { readonly entries: readonly Stored[]; readonly more: boolean }

/** A condition of a commit: the key has this versionstamp, or, with null, no entry. */
export type Check = { readonly key: string; readonly versionstamp: string | null }

/** A change of a commit. `operand` is a number from 0 to 2^64 - 1. */
export type Change =
  | {
      readonly type: 'set'
      readonly key: string
      readonly value: Uint8Array
      /** Milliseconds from now until the entry expires. Undefined: it stays. */
      readonly expireIn: number | undefined
    }
  | { readonly type: 'delete'; readonly key: string }
  | { readonly type: 'sum' | 'min' | 'max'; readonly key: string; readonly operand: bigint }
