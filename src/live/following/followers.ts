/**
 * Followers is the set of the followers of one conversation. A few are served at once. A crowd is
 * served in steps, and the process handles requests between two steps.
 */
import type { Conversation } from '../../conversation/wire/schemas.ts'
import type { LoopShare } from '../../mechanics/loop-share.ts'
import { FanOut } from './fan-out.ts'
import type { Follower, ResetReason } from './follower.ts'
import type { Partial, Role } from './partials.ts'

/**
 * The maximum number of followers that are served at once. Serving them takes no longer than one
 * request.
 */
const fewMax = 32

type Showing = { partial: Partial; readonly fanOut: FanOut<Follower> }

export class Followers extends Set<Follower> {
  readonly #share: LoopShare
  // Created for crowds only, because most conversations have one follower.
  #advancing: FanOut<Follower> | undefined
  #showing: Map<Role, Showing> | undefined

  constructor(share: LoopShare) {
    super()
    this.#share = share
  }

  join(follower: Follower): void {
    this.add(follower)
    this.#advancing?.joined()
    for (const { fanOut } of this.#showing?.values() ?? []) fanOut.joined()
  }

  /** Has each follower send its new changes. */
  advance(): void {
    if (this.#isFew(this.#advancing)) {
      for (const follower of this) follower.advance()
      return
    }
    this.#advancing ??= new FanOut(this.#share, this, (follower) => follower.advance())
    this.#advancing.all()
  }

  /** Has these followers send their new changes. */
  advanceSome(followers: readonly Follower[]): void {
    this.#each(followers, (follower) => follower.advance())
  }

  /**
   * Shows an interim text to each follower. `isLatest` is asked before each follower of a crowd:
   * once it is false, the text is outdated, and the other followers do not get it.
   */
  show(partial: Partial, isLatest: (partial: Partial) => boolean): void {
    const { role } = partial
    let showing = this.#showing?.get(role)
    if (this.#isFew(showing?.fanOut)) {
      for (const follower of this) follower.show(partial)
      return
    }
    if (showing === undefined) {
      const fanOut = new FanOut<Follower>(this.#share, this, (follower) => {
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

  /**
   * Ends the subscriptions of the followers for which `concerns` is true. A follower whose delivery
   * has not begun is left out, because it reads the new state when it begins.
   */
  reset(
    reason: ResetReason,
    concerns: (follower: Follower) => boolean,
    conversation?: Conversation,
  ): void {
    const begun = [...this].filter((each) => each.last !== undefined && concerns(each))
    this.#each(begun, (follower) => follower.reset(reason, conversation))
  }

  /** Whether all followers can be served at once. A running fan-out must be continued instead. */
  #isFew(fanOut: FanOut<Follower> | undefined): boolean {
    return this.size <= fewMax && fanOut?.isRunning !== true
  }

  #each(followers: readonly Follower[], act: (follower: Follower) => void): void {
    if (followers.length <= fewMax) for (const follower of followers) act(follower)
    else new FanOut(this.#share, new Set(followers), act).all()
  }
}
