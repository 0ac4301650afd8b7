/**
 * FrameBudget bounds how many frames a second one socket may send, and one second's worth at once.
 * Each frame counts on arrival, handled or not. A socket that sends more is in debt.
 */

/** A frame counts once, and once more for each of these bytes. */
const weightBytes = 1024

/**
 * The maximum debt, in seconds of budget. A peer above it does not slow down, although it is not
 * read.
 */
const debtSeconds = 2

/** The budget at which a pause ends, in seconds. Above zero, pauses are fewer and longer. */
const resumeSeconds = 0.1

/** How often a frame counts if it is refused, or makes the service look up a conversation. */
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
   * Spends the weight of a frame. False if the debt is above its maximum: this is a flood, and
   * nothing is spent. One frame counts for at most a second's worth, so that it is never a flood by
   * itself.
   */
  spend(weight: number, now: number): boolean {
    this.#earn(now)
    if (this.#available < -debtSeconds * this.#perSecond) return false
    this.#available -= Math.min(weight, this.#perSecond)
    return true
  }

  /** Milliseconds until a paused socket should be read again. */
  resumeMs(now: number): number {
    return this.#msUntil(resumeSeconds * this.#perSecond, now)
  }

  /**
   * Milliseconds until the next waiting frame may be handled. `unhandled` is the weight of all that
   * wait.
   */
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
