/**
 * A compact map from UUIDs to numbers: a hash table of 16 bytes a place, at most two thirds full. One
 * million ids take 32 MiB. It keeps 64 bits of each id: that any two of a million ids are confused has a
 * probability of 1 in 30 million.
 */
export type IdTable = {
  get(id: string): number | undefined
  set(id: string, value: number): void
}

const placesAtFirst = 1024

export function createIdTable(): IdTable {
  let values = new Float64Array(placesAtFirst)
  let keys = new BigUint64Array(placesAtFirst)
  let count = 0

  /** The index of the key, or the free one where it is to be put. A key of zero marks a free place. */
  const placeOf = (key: bigint, table: BigUint64Array): number => {
    const last = table.length - 1
    let place = Number(key & 0xffffffffn) & last
    while (table[place] !== 0n && table[place] !== key) place = (place + 1) & last
    return place
  }
  const grow = () => {
    const [oldKeys, oldValues] = [keys, values]
    keys = new BigUint64Array(oldKeys.length * 2)
    values = new Float64Array(oldKeys.length * 2)
    for (const [old, key] of oldKeys.entries()) {
      if (key === 0n) continue
      const place = placeOf(key, keys)
      keys[place] = key
      values[place] = oldValues[old] ?? 0
    }
  }

  return {
    get(id) {
      const key = keyOf(id)
      const place = placeOf(key, keys)
      return keys[place] === key ? values[place] : undefined
    },
    set(id, value) {
      if (count * 3 >= keys.length * 2) grow()
      const key = keyOf(id)
      const place = placeOf(key, keys)
      if (keys[place] !== key) count += 1
      keys[place] = key
      values[place] = value
    },
  }
}

/** Both halves of a UUID by exclusive or: the first half of a UUIDv7 is little more than its time. */
function keyOf(id: string): bigint {
  const hex = id.replaceAll('-', '')
  const folded = BigInt(`0x${hex.slice(0, 16)}`) ^ BigInt(`0x${hex.slice(16)}`)
  return folded === 0n ? 1n : folded
}
