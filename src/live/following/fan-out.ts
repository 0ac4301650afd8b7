/**
 * FanOut does the same to many, a few at a time: a crowd is served in steps, and requests are handled
 * between them.
 */
import type { LoopShare } from '../../mechanics/loop-share.ts'

/** A `Set` or a `Map`: what is added or deleted meanwhile does no harm. */
export type Members<T> = Iterable<T> & { readonly size: number }

/** How many followers are served between two looks at the clock. */
const stepMax = 32

export class FanOut<T> {
  readonly #share: LoopShare
  readonly #members: Members<T>
  readonly #act: (one: T) => void
  #position: Iterator<T> | undefined
  /** How many followers are still to be served in this round. */
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
   * Serves everybody once from now on. Where a round is under way, it goes on from where it is and
   * around to there: calls that follow each other fast let nobody starve at the end.
   */
  all(): void {
    const wasRunning = this.isRunning
    this.#remaining = this.#members.size
    if (!wasRunning && this.#remaining > 0) this.#share.run(() => this.#step())
  }

  /** Tells the round that a follower was added: it is served last. */
  joined(): void {
    if (this.isRunning) this.#remaining += 1
  }

  /** Ends the round: no further follower is served. */
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
