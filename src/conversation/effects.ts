/** What happens after a commit: the history cache and live delivery plug in here. */
import type { Principal } from './principal.ts'
import type { Conversation, Message, Segment } from './wire.ts'

/**
 * What one call committed in one conversation: every row with `from < row.version <= version`, as the
 * call left it. Several turns of one batch are one commit.
 */
export type Commit = {
  readonly tenant: Principal['tenant']
  readonly conversationId: string
  readonly from: number
  readonly version: number
  readonly messages: readonly Message[]
  readonly segments?: readonly Segment[]
  readonly conversation?: Conversation
}

/**
 * Called once per conversation and call, after the commit and out of the caller's way: it must not
 * block, and what it throws is logged and changes nothing.
 */
export type Effect = {
  readonly name: string
  committed(commit: Commit): void
}
