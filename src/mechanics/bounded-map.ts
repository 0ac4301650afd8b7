/**
 * BoundedMap keeps entries up to a total weight. Above it, the least recently used entry is dropped
 * first. `set` and `use` count as use; `get` does not.
 */

export type BoundedMapOptions<Value> = {
  /** The greatest total weight. It is a number of entries unless there is a `weigh`. */
  readonly max: number
  /** The weight of a value, such as its bytes. Report each change of it with `grow`. @default 1 */
  weigh?(value: Value): number
}

const one = () => 1

export class BoundedMap<Key, Value> implements Iterable<[Key, Value]> {
  /** In the order of use: the entry used last is the last one. */
  readonly #entries = new Map<Key, Value>()
  readonly #max: number
  readonly #weigh: (value: Value) => number
  #weight = 0
  /** The key that was used last; undefined in an empty map. Using it again moves nothing. */
  #last: Key | undefined

  constructor({ max, weigh = one }: BoundedMapOptions<Value>) {
    this.#max = max
    this.#weigh = weigh
  }

  get size(): number {
    return this.#entries.size
  }

  /** The weight of all entries. */
  get weight(): number {
    return this.#weight
  }

  /** The value of `key`. This does not count as use. */
  get(key: Key): Value | undefined {
    return this.#entries.get(key)
  }

  /** The value of `key`, whose entry becomes the one used last. */
  use(key: Key): Value | undefined {
    const value = this.#entries.get(key)
    if (value === undefined || key === this.#last) return value
    this.#entries.delete(key)
    this.#entries.set(key, value)
    this.#last = key
    return value
  }

  /**
   * Stores the value in place of an earlier one, and drops the least recently used entries above
   * the bound. A value that alone weighs more than the bound is not stored, and no other entry is
   * dropped for it.
   */
  set(key: Key, value: Value): void {
    this.delete(key)
    const weight = this.#weigh(value)
    if (weight > this.#max) return
    this.#entries.set(key, value)
    this.#last = key
    this.#weight += weight
    while (this.#weight > this.#max) this.dropOldest()
  }

  /** Removes an entry. Returns whether there was one. */
  delete(key: Key): boolean {
    const value = this.#entries.get(key)
    if (value === undefined) return false
    this.#weight -= this.#weigh(value)
    if (key === this.#last) this.#last = undefined
    return this.#entries.delete(key)
  }

  /**
   * Adds the weight that a stored value has gained. Entries are dropped for it at the next `set`.
   */
  grow(weight: number): void {
    this.#weight += weight
  }

  /** Drops the least recently used entry and returns its value; undefined if the map is empty. */
  dropOldest(): Value | undefined {
    for (const [key, value] of this.#entries) {
      this.delete(key)
      return value
    }
    return undefined
  }

  clear(): void {
    this.#entries.clear()
    this.#weight = 0
    this.#last = undefined
  }

  keys(): MapIterator<Key> {
    return this.#entries.keys()
  }

  values(): MapIterator<Value> {
    return this.#entries.values()
  }

  /** Iterates over the entries, the least recently used first. */
  [Symbol.iterator](): MapIterator<[Key, Value]> {
    return this.#entries[Symbol.iterator]()
  }
}
