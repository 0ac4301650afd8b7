/**
 * FanOut calls a function for each member of a crowd, a few at a time. Between two steps the
 * process handles requests.
 */
import type { LoopShare } from '../../mechanics/loop-share.ts'

/** A `Set` or a `Map`, whose iterators allow members to be added and deleted meanwhile. */
export type Members<T> = Iterable<T> & { readonly size: number }

/** The maximum number of members that are served before the clock is read again. */
const stepMax = 32

export class FanOut<T> {
  readonly #share: LoopShare
  readonly #members: Members<T>
  readonly #act: (one: T) => void
  #position: Iterator<T> | undefined
  /** The number of members that still have to be served. */
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
   * Serves each member once. If members are still being served, it continues behind the member that
   * was served last, and wraps around at the end. It does not begin again with the first member, so
   * calls in quick succession never starve the last ones.
   */
  all(): void {
    const wasRunning = this.isRunning
    this.#remaining = this.#members.size
    if (!wasRunning && this.#remaining > 0) this.#share.run(() => this.#step())
  }

  /** Called when a member was added. If members are being served now, the new one is served last. */
  joined(): void {
    if (this.isRunning) this.#remaining += 1
  }

  /** Serves no further member until the next call of `all`. */
  stop(): void {
    this.#remaining = 0
  }

  /** Serves the next members. Returns whether more are left. */
  #step(): boolean {
    for (let count = 0; count < stepMax && this.#remaining > 0; count += 1) {
      const one = this.#next()
      this.#remaining = one === undefined ? 0 : this.#remaining - 1
      if (one !== undefined) this.#act(one.value)
    }
    if (!this.isRunning) this.#position = undefined
    return this.isRunning
  }

  /** Returns the next member; after the last one, the first. Undefined if there are no members. */
  #next(): { readonly value: T } | undefined {
    const next = this.#position?.next()
    if (next?.done === false) return next
    this.#position = this.#members[Symbol.iterator]()
    const first = this.#position.next()
    return first.done === true ? undefined : first
  }
}
