/** The writes and their after-commit effects. */
import type { Principal } from './principal.ts'
import type * as wire from './wire.ts'

export type Store = {
  createConversation(
    principal: Principal,
    body: wire.NewConversation,
  ): Promise<{ conversation: wire.Conversation; created: boolean }>
  patchConversation(
    principal: Principal,
    id: string,
    patch: wire.ConversationPatch,
    ifMatch?: number,
  ): Promise<wire.Conversation>
  eraseConversation(principal: Principal, id: string): Promise<wire.ErasureReceipt>
  /** Null where the answer has no parts: nothing is written, and the key stays free. */
  recordTurn(
    principal: Principal,
    id: string,
    turn: wire.NewTurn,
    key?: string,
  ): Promise<wire.RecordedTurn | null>
  createSegment(
    principal: Principal,
    id: string,
    body: wire.NewSegment,
  ): Promise<{ segment: wire.Segment; created: boolean }>
  /** To the AI message named, or to the latest. Null where there is nothing to attach, or nothing to attach to. */
  attachTts(
    principal: Principal,
    id: string,
    messageId: string | undefined,
    body: wire.Attach,
  ): Promise<wire.AttachedAudio | null>
}
