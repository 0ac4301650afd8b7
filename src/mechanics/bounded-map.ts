/**
 * BoundedMap keeps entries up to a total weight. Past it, the entry that was used longest ago is dropped
 * first; setting an entry and `use` count as use, `get` does not.
 */

export type BoundedMapOptions<Value> = {
  /** The total weight that is kept: a number of entries, unless `weigh` says otherwise. */
  readonly max: number
  /** The weight of a value, such as its bytes. It may change by `grow` only. @default 1 for each */
  weigh?(value: Value): number
}

const one = () => 1

export class BoundedMap<Key, Value> implements Iterable<[Key, Value]> {
  /** The entry used last stands last. */
  readonly #entries = new Map<Key, Value>()
  readonly #max: number
  readonly #weigh: (value: Value) => number
  #weight = 0
  /** The key that was used last, where there is one: it need not be moved. */
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

  /** The value, without counting as use. */
  get(key: Key): Value | undefined {
    return this.#entries.get(key)
  }

  /** The value, whose entry is now the one used last. */
  use(key: Key): Value | undefined {
    const value = this.#entries.get(key)
    if (value === undefined || key === this.#last) return value
    this.#entries.delete(key)
    this.#entries.set(key, value)
    this.#last = key
    return value
  }

  /**
   * Keeps the value in place of the one before, and drops the oldest entries past the bound. A value
   * that weighs more than the bound by itself is not kept, and costs no other its place.
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

  delete(key: Key): boolean {
    const value = this.#entries.get(key)
    if (value === undefined) return false
    this.#weight -= this.#weigh(value)
    if (key === this.#last) this.#last = undefined
    return this.#entries.delete(key)
  }

  /** Adds what a kept value has gained in weight. Nothing is dropped for it before the next `set`. */
  grow(weight: number): void {
    this.#weight += weight
  }

  /** Drops the entry that was used longest ago, and answers its value; undefined where there is none. */
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

  /** The entry used longest ago first. */
  [Symbol.iterator](): MapIterator<[Key, Value]> {
    return this.#entries[Symbol.iterator]()
  }
}
