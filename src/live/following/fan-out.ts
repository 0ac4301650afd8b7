/**
 * FanOut calls a function for each member of a crowd, a few at a time. Between two steps the
 * process handles requests.
 */
import type { LoopShare } from '../../mechanics/loop-share.ts'

/** A `Set` or a `Map`, whose iterators allow members to be added and deleted meanwhile. */
export type Members<T> = Iterable<T> & { readonly size: number }

/** How many members are served between two looks at the clock. */
const stepMax = 32

export class FanOut<T> {
  readonly #share: LoopShare
  readonly #members: Members<T>
  readonly #act: (one: T) => void
  #position: Iterator<T> | undefined
  /** How many members this round still has to serve. */
  #remaining = 0

  constructor(share: LoopShare, members: Members<T>, act: (one: T) => void) {
    this.#share = share
    this.#members = members
    this.#act = act
  }

  get isRunning(): boolean {
    return this.#remaining > 0
  }

  /**
   * Serves each member once. A running round continues from its position and ends there after a
   * full turn, so that calls in quick succession never starve the last members.
   */
  all(): void {
    const wasRunning = this.isRunning
    this.#remaining = this.#members.size
    if (!wasRunning && this.#remaining > 0) this.#share.run(() => this.#step())
  }

  /** Adds a new member to the running round. It is served last. */
  joined(): void {
    if (this.isRunning) this.#remaining += 1
  }

  /** Ends the round. No further member is served. */
  stop(): void {
    this.#remaining = 0
  }

  #step(): boolean {
    for (let count = 0; count < stepMax && this.#remaining > 0; count += 1) {
      const one = this.#next()
      this.#remaining = one === undefined ? 0 : this.#remaining - 1
      if (one !== undefined) this.#act(one.value)
    }
    if (!this.isRunning) this.#position = undefined
    return this.isRunning
  }

  #next(): { readonly value: T } | undefined {
    const next = this.#position?.next()
    if (next?.done === false) return next
    this.#position = this.#members[Symbol.iterator]()
    const first = this.#position.next()
    return first.done === true ? undefined : first
  }
}
