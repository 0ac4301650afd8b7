/**
 * Compact map from UUIDs to numbers: a hash table with slots of 16 bytes, at most two thirds full.
 * One million ids take 32 MiB. The table stores 64 bits of each id, so the probability that any two
 * of a million ids are confused is 1 in 30 million.
 */
const initialSlots = 1024

export class IdTable {
  #values = new Float64Array(initialSlots)
  #keys = new BigUint64Array(initialSlots)
  #count = 0

  get(id: string): number | undefined {
    const key = keyOf(id)
    const slot = slotOf(key, this.#keys)
    return this.#keys[slot] === key ? this.#values[slot] : undefined
  }

  set(id: string, value: number): void {
    if (this.#count * 3 >= this.#keys.length * 2) this.#grow()
    const key = keyOf(id)
    const slot = slotOf(key, this.#keys)
    if (this.#keys[slot] !== key) this.#count += 1
    this.#keys[slot] = key
    this.#values[slot] = value
  }

  #grow(): void {
    const keys = new BigUint64Array(this.#keys.length * 2)
    const values = new Float64Array(keys.length)
    for (const [old, key] of this.#keys.entries()) {
      if (key === 0n) continue
      const slot = slotOf(key, keys)
      keys[slot] = key
      values[slot] = this.#values[old] ?? 0
    }
    this.#keys = keys
    this.#values = values
  }
}

/** Returns the slot of the key, or the free slot for it. A free slot has the key zero. */
function slotOf(key: bigint, table: BigUint64Array): number {
  const last = table.length - 1
  let slot = Number(key & 0xffffffffn) & last
  while (table[slot] !== 0n && table[slot] !== key) slot = (slot + 1) & last
  return slot
}

/**
 * Combines both halves of a UUID by exclusive or, because the first half of a UUIDv7 is mostly a
 * time.
 */
function keyOf(id: string): bigint {
  const hex = id.replaceAll('-', '')
  const folded = BigInt(`0x${hex.slice(0, 16)}`) ^ BigInt(`0x${hex.slice(16)}`)
  return folded === 0n ? 1n : folded
}
