/**
 * FrameBudget bounds the frames a second that one socket may send. A socket may send one second's
 * budget at once. Each frame counts on arrival, before it is handled. A socket that has sent more
 * than its budget is in debt.
 */

/** A frame counts once, and once more for each `weightBytes` of its size. */
const weightBytes = 1024

/**
 * The maximum debt, in seconds of budget. A socket in debt is not read, so a client that sends on in
 * spite of that exceeds it.
 */
const debtSeconds = 2

/** The budget at which a pause ends, in seconds. With zero, there would be many short pauses. */
const resumeSeconds = 0.1

/** The factor by which a frame counts that is refused or needs the look-up of a conversation. */
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
   * Spends the weight of a frame. Returns false if the debt is above its maximum: this is a flood,
   * and nothing is spent. One frame counts for at most one second's budget, so that a single frame is
   * never a flood.
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
   * Milliseconds until the next waiting frame may be handled. `unhandled` is the weight of all
   * waiting frames.
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
