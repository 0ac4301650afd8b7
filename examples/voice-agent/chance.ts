/** Random numbers that a seed repeats: mulberry32 (Tommy Ettinger, public domain). */
export type Chance = {
  /** True in `share` of a hundred calls, on average. */
  percent(share: number): boolean
  /** A whole number from 0 to `max`. */
  upTo(max: number): number
}

export function createChance(seed: number): Chance {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return {
    percent: (share) => next() * 100 < share,
    upTo: (max) => Math.floor(next() * (max + 1)),
  }
}
