/**
 * What an adapter of one's own has to do: five functions over encoded keys and values. `createKv`
 * makes the port of it (limits, selectors, cursors, values, watches), the same for every store.
 *
 * An encoded key is a string of one character a byte; `<` is the order of keys. The functions may
 * answer at once or with a promise, and reject with a `KvError` where the store is away.
 */
export interface KvStore {
  /** The entries, in the keys' order; one moment, where the keys are of one partition. */
  read(keys: readonly string[]): Answer<readonly (Stored | undefined)[]>

  /** The first entries of a range, in its direction: one moment. */
  scan(range: KeyRange): Answer<Scanned>

  /**
   * All changes, in their order, if every check holds: one moment. Answers the versionstamp, which
   * is above those of all entries it replaces and was never used; `undefined` if a check failed.
   */
  commit(checks: readonly Check[], changes: readonly Change[]): Answer<string | undefined>

  /**
   * Calls `onChange` once changes of these keys are heard from now on, after each of them, and
   * whenever one may have been missed. More often does no harm. Answers how to stop that.
   */
  listen(keys: readonly string[], onChange: () => void): () => void

  /** Lets go of everything; what is in flight rejects. Called once. */
  close(): void
}

export type Answer<T> = T | Promise<T>

export type Stored = {
  readonly key: string
  /** A Buffer is handed on as it is, and must be nobody else's; any other array is copied. */
  readonly value: Uint8Array
  /** 20 hexadecimal digits. */
  readonly versionstamp: string
}

/** `from` is included, `until` is not. */
export type KeyRange = {
  readonly from: string
  readonly until: string
  readonly reverse: boolean
  readonly limit: number
}

/** `more` is false if nothing follows. */
export type Scanned = { readonly entries: readonly Stored[]; readonly more: boolean }

/** `null` demands that there is no entry. */
export type Check = { readonly key: string; readonly versionstamp: string | null }

export type Change =
  | {
      readonly type: 'set'
      readonly key: string
      readonly value: Uint8Array
      /** Milliseconds from now; without it the entry stays. */
      readonly expireIn: number | undefined
    }
  | { readonly type: 'delete'; readonly key: string }
  | { readonly type: 'sum' | 'min' | 'max'; readonly key: string; readonly operand: bigint }
