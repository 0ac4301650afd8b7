/** Work after a commit. The history cache, live delivery and the health of writes register here. */
import type { Events } from '../../events.ts'
import type { Message } from '../wire/schemas.ts'

/**
 * The changes that one call committed in one conversation: all versions after `from`, up to
 * `version`. Several turns of a conversation in one batch are one commit.
 */
export type Commit = {
  readonly tenant: string
  readonly conversationId: string
  readonly from: number
  readonly version: number
  /** Every message that the call wrote or changed, as it is stored now. Empty for an erasure. */
  readonly messages: readonly Message[]
  /**
   * `more`: segments or voice sessions changed, too. Their rows are not in the commit; read them
   * from the database.
   */
  readonly touched: 'messages' | 'more' | 'conversation' | 'erased'
}

/**
 * Effect is called once for each conversation of a committed call. It must not block, because the
 * caller's answer waits for it. An error that it throws is logged and has no other consequence.
 */
export type Effect = {
  readonly name: string
  committed(commit: Commit): void
}

/** Effects holds the effects that are registered. The writes run them after every commit. */
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

  /** Passes a commit to every effect. If one fails, that is logged and the others still run. */
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
