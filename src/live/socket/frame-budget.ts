/**
 * What one socket may send: so many frames a second, with a second's worth at once. Every frame counts
 * as it comes in, handled or not; where more come than may, the socket is in debt.
 */

/** Bytes: a frame counts once, and once more for each of these. */
const weightBytes = 1024

/** The maximum debt, in seconds of budget: a peer with more does not slow down though it is not read. */
const debtSeconds = 2

/** The share of a second's budget with which a pause ends: pauses are fewer and longer. */
const resumeSeconds = 0.1

/** How often a frame counts that is refused, or for which the service looks up a conversation. */
export const costlyFactor = 10

export const weightOf = (bytes: number): number => 1 + Math.floor(bytes / weightBytes)

export class FrameBudget {
  readonly #perSecond: number
  #available: number
  #countedAt: number

  constructor(perSecond: number, now: number) {
    this.#perSecond = perSecond
    this.#available = perSecond
    this.#countedAt = now
  }

  get isInDebt(): boolean {
    return this.#available < 0
  }

  /**
   * False, and nothing is spent, where the debt is as large as it may be: this is a flood. One frame
   * counts for a second's worth at most, so that none is a flood by itself.
   */
  spend(weight: number, now: number): boolean {
    this.#earn(now)
    if (this.#available < -debtSeconds * this.#perSecond) return false
    this.#available -= Math.min(weight, this.#perSecond)
    return true
  }

  /** Milliseconds until a socket that was paused should be read again. */
  resumeMs(now: number): number {
    return this.#msUntil(resumeSeconds * this.#perSecond, now)
  }

  /** Milliseconds until there was no debt but for `unhandled`, which is what waits. */
  handleMs(unhandled: number, now: number): number {
    return this.#msUntil(1 - unhandled, now)
  }

  #msUntil(target: number, now: number): number {
    this.#earn(now)
    return Math.max(0, ((target - this.#available) / this.#perSecond) * 1000)
  }

  #earn(now: number): void {
    const seconds = Math.max(0, now - this.#countedAt) / 1000
    this.#countedAt = now
    this.#available = Math.min(this.#perSecond, this.#available + seconds * this.#perSecond)
  }
}
