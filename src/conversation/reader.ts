/** The reads. Rows, `version` and `cursor` of an answer come from one snapshot. */
import type { Principal } from './principal.ts'
import type * as wire from './wire.ts'

export type Head = { readonly version: number; readonly lastSeq: number; readonly cursor: string }

export type MessageQuery = {
  readonly after?: number
  readonly before?: number
  readonly limit: number
  readonly order: 'asc' | 'desc'
  readonly minCursor?: string
}

export type Reader = {
  head(principal: Principal, id: string): Promise<Head>
  conversation(principal: Principal, id: string): Promise<wire.Conversation>
  conversations(
    principal: Principal,
    query: { readonly page?: string; readonly limit: number; readonly externalId?: string },
  ): Promise<wire.ConversationList>
  messages(principal: Principal, id: string, query: MessageQuery): Promise<wire.MessagePage>
  /** The newest `last` messages in order, or all of them. */
  history(
    principal: Principal,
    id: string,
    query: { readonly last?: number; readonly minCursor?: string },
  ): Promise<wire.History>
  changes(
    principal: Principal,
    id: string,
    query: { readonly since?: string; readonly limit: number },
  ): Promise<wire.ChangePage>
  segments(
    principal: Principal,
    id: string,
    query: { readonly page?: string; readonly limit: number },
  ): Promise<wire.SegmentList>
  segment(principal: Principal, id: string, segmentId: string): Promise<wire.Segment>
}
