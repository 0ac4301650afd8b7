/** What a conversation's channel tells to those who follow it. */
import type { Conversation } from '../../conversation/wire/schemas.ts'
import type { Partial } from './partials.ts'

export type ResetReason = 'cursor-ahead' | 'conversation-erased' | 'conversation-not-found'

export type Follower = {
  /** The version sent last; undefined before the first. */
  readonly last: number | undefined
  /** There may be more to send. */
  advance(): void
  /** What it follows has ended, or is not what it took it for. */
  reset(reason: ResetReason, conversation?: Conversation): void
  show(partial: Partial): void
}
