/**
 * LoopShare runs work that is not urgent for a few milliseconds of each round of the event loop.
 * Work that does not fit continues in the next round, after the requests that arrived in between.
 */

/** Does a small part of the work. Returns whether work is left. */
export type Step = () => boolean

export class LoopShare {
  readonly #ms: number
  readonly #failed: (cause: unknown) => void
  #spentMs = 0
  #isScheduled = false
  /** The steps that have work left. They are called in turn. */
  #waiting: Step[] = []

  /**
   * @param ms Milliseconds of each round for this work.
   * @param failed Receives the error of a step that threw. The step is called again afterwards.
   */
  constructor(ms: number, failed: (cause: unknown) => void) {
    this.#ms = ms
    this.#failed = failed
  }

  /** Whether the share of this round is used up, so that more work must wait. */
  get isSpent(): boolean {
    return this.#spentMs >= this.#ms
  }

  /** Counts `ms` milliseconds that work of this kind took outside of `run` in this round. */
  spend(ms: number): void {
    this.#spentMs += ms
    // An immediate resets the spent time. None is scheduled while less than half the share is
    // spent.
    if (this.#spentMs * 2 >= this.#ms) this.#schedule()
  }

  /**
   * Repeats `step` until no work is left: in this round while its share lasts, then in later
   * rounds.
   */
  run(step: Step): void {
    this.#waiting.push(step)
    if (this.#waiting.length === 1 && !this.isSpent) this.#work()
    else this.#schedule()
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      this.#spentMs = 0
      this.#work()
    })
  }

  #work(): void {
    const began = performance.now()
    const before = this.#spentMs
    for (;;) {
      const step = this.#waiting[0]
      if (step === undefined) break
      const isUnfinished = this.#ran(step)
      this.#waiting.shift()
      if (isUnfinished) this.#waiting.push(step)
      this.#spentMs = before + performance.now() - began
      if (this.isSpent) break
    }
    if (this.#waiting.length > 0 || this.#spentMs > 0) this.#schedule()
  }

  #ran(step: Step): boolean {
    try {
      return step()
    } catch (cause) {
      this.#failed(cause)
      return true
    }
  }
}
