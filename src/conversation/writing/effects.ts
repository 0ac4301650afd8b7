/** What happens after a commit: the history cache and live delivery register here. */
import type { Events } from '../../events.ts'
import type { Message } from '../wire/schemas.ts'

/**
 * What one call committed in one conversation, `from` (exclusive) to `version`. Several turns of one
 * batch are one commit.
 */
export type Commit = {
  readonly tenant: string
  readonly conversationId: string
  readonly from: number
  readonly version: number
  /** Every message the call wrote or changed, as it left them. Empty for an erasure. */
  readonly messages: readonly Message[]
  /** `more`: segments or voice sessions beside the messages; their rows are in the database. */
  readonly touched: 'messages' | 'more' | 'conversation' | 'erased'
}

/**
 * Called once per conversation and call, after the commit and out of the caller's way: it must not
 * block, and what it throws is logged and changes nothing.
 */
export type Effect = {
  readonly name: string
  committed(commit: Commit): void
}

/** Effects holds what happens after every commit. Parts register with it; whoever commits runs it. */
export class Effects {
  readonly #events: Pick<Events, 'effectFailed'>
  readonly #effects: Effect[] = []

  constructor(events: Pick<Events, 'effectFailed'>) {
    this.#events = events
  }

  /** Adds an effect. Effects run in the order in which they were registered. */
  register(effect: Effect): void {
    this.#effects.push(effect)
  }

  /** Tells every effect of a commit. One that fails is logged, and the others run. */
  run(commit: Commit): void {
    for (const effect of this.#effects) {
      try {
        effect.committed(commit)
      } catch (error) {
        this.#events.effectFailed(effect.name, commit.conversationId, error)
      }
    }
  }
}
