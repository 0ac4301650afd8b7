/** Follower is the side of a subscription that its channel calls. */
import type { Conversation } from '../../conversation/wire/schemas.ts'
import type { Partial } from './partials.ts'

export type ResetReason = 'cursor-ahead' | 'conversation-erased' | 'conversation-not-found'

export type Follower = {
  /** The version sent last. Undefined until delivery begins. */
  readonly last: number | undefined
  /** Sends the changes after `last` until the socket is full. */
  advance(): void
  /** Ends the subscription. After an erasure, `conversation` is the erased conversation. */
  reset(reason: ResetReason, conversation?: Conversation): void
  /** Sends an interim text. */
  show(partial: Partial): void
}
