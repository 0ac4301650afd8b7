/** Those who follow one conversation. A few are told at once, a crowd in slices. */
import type { Conversation } from '../../conversation/wire/schemas.ts'
import { FanOut } from './fan-out.ts'
import type { Follower, ResetReason } from './follower.ts'
import type { Partial, Role } from './partials.ts'
import type { TimeSlice } from './time-slice.ts'

/** Up to this many followers are served at once: that takes no longer than a request. */
const fewMax = 32

type Showing = { partial: Partial; readonly fanOut: FanOut<Follower> }

export class Followers extends Set<Follower> {
  readonly #slice: TimeSlice
  // Made for crowds only: most conversations have one follower.
  #advancing: FanOut<Follower> | undefined
  #showing: Map<Role, Showing> | undefined

  constructor(slice: TimeSlice) {
    super()
    this.#slice = slice
  }

  join(follower: Follower): void {
    this.add(follower)
    this.#advancing?.joined()
    for (const { fanOut } of this.#showing?.values() ?? []) fanOut.joined()
  }

  /** Tells all followers that there is something new. */
  advance(): void {
    if (this.#isFew(this.#advancing)) {
      for (const follower of this) follower.advance()
      return
    }
    this.#advancing ??= new FanOut(this.#slice, this, (follower) => follower.advance())
    this.#advancing.all()
  }

  /** Tells these followers that there is something new. */
  advanceSome(followers: readonly Follower[]): void {
    this.#each(followers, (follower) => follower.advance())
  }

  /** `isLatest`: whether a crowd that is told now should still be told of it. */
  show(partial: Partial, isLatest: (partial: Partial) => boolean): void {
    const { role } = partial
    let showing = this.#showing?.get(role)
    if (this.#isFew(showing?.fanOut)) {
      for (const follower of this) follower.show(partial)
      return
    }
    if (showing === undefined) {
      const fanOut = new FanOut<Follower>(this.#slice, this, (follower) => {
        const latest = showing?.partial
        if (latest !== undefined && isLatest(latest)) follower.show(latest)
        else fanOut.stop()
      })
      showing = { partial, fanOut }
      this.#showing ??= new Map()
      this.#showing.set(role, showing)
    }
    showing.partial = partial
    showing.fanOut.all()
  }

  /** Followers that have not begun yet read the new state when they begin. */
  reset(
    reason: ResetReason,
    concerns: (follower: Follower) => boolean,
    conversation?: Conversation,
  ): void {
    const begun = [...this].filter((each) => each.last !== undefined && concerns(each))
    this.#each(begun, (follower) => follower.reset(reason, conversation))
  }

  #isFew(fanOut: FanOut<Follower> | undefined): boolean {
    return this.size <= fewMax && fanOut?.isRunning !== true
  }

  #each(followers: readonly Follower[], act: (follower: Follower) => void): void {
    if (followers.length <= fewMax) for (const follower of followers) act(follower)
    else new FanOut(this.#slice, new Set(followers), act).all()
  }
}
