/**
 * LoopShare gives work that may wait a few milliseconds of each round of the event loop. What does not
 * fit waits for the next round, after the requests that have come meanwhile.
 */

/** Does a small part of the work; returns whether there is more. */
export type Step = () => boolean

export class LoopShare {
  readonly #ms: number
  readonly #failed: (cause: unknown) => void
  #spentMs = 0
  #isScheduled = false
  /** Steps that wait; each is called in turn. */
  #waiting: Step[] = []

  /** `ms`: of each round, milliseconds. `failed`: a step threw; it is called again all the same. */
  constructor(ms: number, failed: (cause: unknown) => void) {
    this.#ms = ms
    this.#failed = failed
  }

  /** Whether more work of this round must wait. */
  get isSpent(): boolean {
    return this.#spentMs >= this.#ms
  }

  /** Counts time that such work took elsewhere in this round, milliseconds. */
  spend(ms: number): void {
    this.#spentMs += ms
    // A timer resets the spent time each round; none is set while less than half the share is spent.
    if (this.#spentMs * 2 >= this.#ms) this.#schedule()
  }

  /** Repeats `step` until there is no more: in this round as far as there is time, then in later ones. */
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
