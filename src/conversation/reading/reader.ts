/** The reads of one conversation, and of their list. */
import type { ConversationRow } from '../sql/rows.ts'
import type { Principal } from '../wire/principal.ts'
import type * as wire from '../wire/schemas.ts'
import type { Shown } from '../wire/views.ts'

export type Head = { readonly version: number; readonly lastSeq: number; readonly cursor: string }

export type MessageQuery = {
  /** Only messages with a higher `seq`. */
  readonly after?: number
  /** Only messages with a lower `seq`. */
  readonly before?: number
  readonly limit: number
  readonly order: 'asc' | 'desc'
  /** Absent: what was said. */
  readonly shown?: Shown
  readonly minCursor?: string
}

export type PageQuery = { readonly page?: string; readonly limit: number }

export type ConversationsQuery = PageQuery & { readonly externalId?: string }

export type NewestQuery = { readonly limit: number; readonly minCursor?: string }

export type NewestMessages = Head & { readonly messages: wire.Message[] }

export type HistoryQuery = {
  readonly last?: number
  readonly shown?: Shown
  readonly minCursor?: string
}

export type ChangesQuery = { readonly since?: string; readonly limit: number }

export type ReadLimits = { readonly historyMessagesMax: number; readonly changesBytesMax: number }

/**
 * Rows, `version` and `cursor` of an answer come from one statement, so one snapshot. Every read
 * fails with `conversation-not-found`, `conversation-erased` or a `database-` code; those with a
 * cursor with `cursor-invalid` and `cursor-ahead`, too.
 */
export type Reader = {
  head(principal: Principal, id: string): Promise<Head>
  conversation(principal: Principal, id: string): Promise<wire.Conversation>
  /** The conversation and the version that last touched the row itself, for a checked change. */
  conversationRow(principal: Principal, id: string): Promise<ConversationRow>
  conversations(principal: Principal, query: ConversationsQuery): Promise<wire.ConversationList>
  /**
   * A page is the messages nearest to the bound given (`after`, where both are); without a bound,
   * the start of the order.
   */
  messages(principal: Principal, id: string, query: MessageQuery): Promise<wire.MessagePage>
  /** The newest messages in order, seats and all, `limit` at most; and the newest one's seq. */
  newest(principal: Principal, id: string, query: NewestQuery): Promise<NewestMessages>
  /** The messages of one turn as they now are, with the cursor of now. */
  turn(principal: Principal, id: string, turnId: string): Promise<wire.Message[]>
  /** The newest `last` messages in order, or all of them: `history-too-long` past the bound. */
  history(principal: Principal, id: string, query: HistoryQuery): Promise<wire.History>
  /** Every message in order as it was said, however many: the canonical history. */
  loadCanonicalHistory(principal: Principal, id: string): Promise<wire.History>
  changes(principal: Principal, id: string, query: ChangesQuery): Promise<wire.ChangePage>
  segments(principal: Principal, id: string, query: PageQuery): Promise<wire.SegmentList>
  segment(principal: Principal, id: string, segmentId: string): Promise<wire.Segment>
}
