/** Lineage: the conversation, messages and segments that a segment's content came from. */
import type { Lineage } from './schemas.ts'

/** The lineage of a segment that one turn completed. */
export function singleTurnLineage(turn: {
  conversationId: string
  userMessageId: string
  assistantMessageId: string
  segmentId: string
}): Lineage {
  return {
    conversationId: turn.conversationId,
    userMessageId: turn.userMessageId,
    assistantMessageId: turn.assistantMessageId,
    segmentIds: [turn.segmentId],
  }
}
