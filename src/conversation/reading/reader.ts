/** Reader reads conversations, their messages, segments and changes from the database. */

import type { Database, Param } from '../../ports/database.ts'
import { Problem } from '../../problem.ts'
import { ask } from '../sql/database-problems.ts'
import { headFrom, joinedRows, keyset } from '../sql/head-row.ts'
import {
  type ConversationRow,
  conversationFromRow,
  type MessageRow,
  messageFromRow,
  type SegmentRow,
  segmentFromRow,
} from '../sql/rows.ts'
import {
  type HeadJoined,
  type HeadRow,
  type ListedConversationRow,
  lists,
  statements,
} from '../sql/statements.ts'
import { decodeCursor, encodePage } from '../wire/ids.ts'
import type { Principal } from '../wire/principal.ts'
import type * as wire from '../wire/schemas.ts'
import { type Shown, said } from '../wire/views.ts'
import { type ChangeRow, changePage, changesStatement } from './changes.ts'
import { limitMax, readNewestTurns, readShown } from './shown-messages.ts'

export type Head = { readonly version: number; readonly lastSeq: number; readonly cursor: string }

export type MessageQuery = {
  /** Only messages with a higher `seq`. */
  readonly after?: number
  /** Only messages with a lower `seq`. */
  readonly before?: number
  readonly limit: number
  readonly order: 'asc' | 'desc'
  /** @default the view `said`, without seats */
  readonly shown?: Shown
  readonly minCursor?: string
}

export type PageQuery = { readonly page?: string; readonly limit: number }

export type ConversationsQuery = PageQuery & { readonly externalId?: string }

export type NewestQuery = { readonly limit: number; readonly minCursor?: string }

export type NewestMessages = Head & { readonly messages: wire.Message[] }

export type HistoryQuery = {
  readonly last?: number
  /** The messages of the newest N turns, which are ordered by their first message. */
  readonly lastTurns?: number
  readonly shown?: Shown
  readonly minCursor?: string
}

export type ChangesQuery = { readonly since?: string; readonly limit: number }

/** The most messages of a history without `last`, and the most bytes of a page of changes. */
export type ReadLimits = { readonly historyMessagesMax: number; readonly changesBytesMax: number }

/**
 * Reader makes each read with one statement: the rows, `version` and `cursor` of an answer are from
 * one snapshot. Every read of a conversation fails with `conversation-not-found`,
 * `conversation-erased` or a `database-` code. A read with a cursor also fails with
 * `cursor-invalid` or `cursor-ahead`; a read of a page with `page-invalid`.
 */
export class Reader {
  readonly #database: Database
  readonly #limits: ReadLimits

  constructor(database: Database, limits: ReadLimits) {
    this.#database = database
    this.#limits = limits
  }

  /** Returns the newest version and seq. */
  async head({ tenant }: Principal, id: string): Promise<Head> {
    return headFrom(id, await this.#rows<HeadRow>(statements.head, [tenant, id]))
  }

  /** The conversation with `selfVersion`, the version that last changed its own row. */
  async conversationRow({ tenant }: Principal, id: string): Promise<ConversationRow> {
    const [row] = await this.#rows<ConversationRow>(statements.conversation, [tenant, id])
    if (row === undefined) throw new Problem('conversation-not-found')
    if (row.erasedAt !== null) throw new Problem('conversation-erased')
    return row
  }

  /** Returns the conversation. */
  async conversation(principal: Principal, id: string): Promise<wire.Conversation> {
    return conversationFromRow(await this.conversationRow(principal, id))
  }

  /** Returns a page of the conversations, last active first, or the one with the external id. */
  async conversations(
    { tenant }: Principal,
    { page, limit, externalId }: ConversationsQuery,
  ): Promise<wire.ConversationList> {
    if (externalId !== undefined) {
      const found = await this.#rows<ConversationRow>(statements.byExternalId, [tenant, externalId])
      return { conversations: found.map(conversationFromRow), nextPage: null }
    }
    const rows = await this.#rows<ListedConversationRow>(
      page === undefined ? lists.conversations : lists.conversationsMore,
      [tenant, limit + 1, ...(page === undefined ? [] : keyset('conversations', page))],
    )
    const last = rows.length > limit ? rows[limit - 1] : undefined
    return {
      conversations: rows.slice(0, limit).map(conversationFromRow),
      nextPage: last === undefined ? null : encodePage('conversations', [last.activity, last.id]),
    }
  }

  /**
   * Returns the `limit` messages nearest to `after` if it is given, otherwise to `before`. Without
   * both, they are the first ones in the given order.
   */
  async messages(
    { tenant }: Principal,
    id: string,
    { after, before, limit, order, shown = said, minCursor }: MessageQuery,
  ): Promise<wire.MessagePage> {
    const fromEnd = after === undefined && (before !== undefined || order === 'desc')
    const query = { after, before, limit: limit + 1, fromEnd, shown, minCursor }
    const read = await readShown(this.#database, tenant, id, query)
    const { messages: found, version, cursor } = read
    const hasMore = found.length > limit
    const messages = fromEnd ? found.slice(-limit) : found.slice(0, limit)
    if (order === 'desc') messages.reverse()
    return { messages, hasMore, version, cursor }
  }

  /** Returns the newest `limit` messages and seats in ascending `seq`, and the newest seq. */
  async newest(
    { tenant }: Principal,
    id: string,
    { limit, minCursor }: NewestQuery,
  ): Promise<NewestMessages> {
    const params = [tenant, id, 0, Number.MAX_SAFE_INTEGER, limit, null, false]
    const rows = await this.#rows<HeadJoined<MessageRow>>(statements.newest, params)
    const messages = joinedRows<MessageRow>(rows).map((row) => messageFromRow(id, row))
    return { ...headFrom(id, rows, minCursor), messages }
  }

  /** The messages of one turn in their current state. */
  async turn({ tenant }: Principal, id: string, turnId: string): Promise<wire.Message[]> {
    const rows = await this.#rows<MessageRow>(statements.turn, [tenant, id, turnId])
    return rows.map((row) => messageFromRow(id, row))
  }

  /** Returns the newest messages or turns, by default all. Also fails with `history-too-long`. */
  history(principal: Principal, id: string, query: HistoryQuery): Promise<wire.History> {
    return this.#history(principal, id, query, this.#limits.historyMessagesMax)
  }

  /** Returns every message in the view `said`, however many: the canonical history. */
  loadCanonicalHistory(principal: Principal, id: string): Promise<wire.History> {
    return this.#history(principal, id, {}, limitMax)
  }

  /** Returns a page of the changes after the cursor `since`. @default all changes */
  async changes(
    { tenant }: Principal,
    id: string,
    { since, limit }: ChangesQuery,
  ): Promise<wire.ChangePage> {
    const from = since === undefined ? 0 : decodeCursor(id, since)
    const rows = await this.#rows<ChangeRow>(changesStatement, [tenant, id, from, limit])
    return changePage(id, from, rows, { limit, bytesMax: this.#limits.changesBytesMax })
  }

  /** Returns a page of the segments, oldest first. */
  async segments(
    { tenant }: Principal,
    id: string,
    { page, limit }: PageQuery,
  ): Promise<wire.SegmentList> {
    const rows = await this.#rows<HeadJoined<SegmentRow>>(
      page === undefined ? lists.segments : lists.segmentsMore,
      [tenant, id, limit + 1, ...(page === undefined ? [] : keyset('segments', page))],
    )
    const { version, cursor } = headFrom(id, rows)
    const found = joinedRows<SegmentRow>(rows)
    const last = found.length > limit ? found[limit - 1] : undefined
    return {
      segments: found.slice(0, limit).map((row) => segmentFromRow(id, row)),
      nextPage: last === undefined ? null : encodePage('segments', [last.createdAt, last.id]),
      version,
      cursor,
    }
  }

  /** Also fails with `segment-not-found`. */
  async segment({ tenant }: Principal, id: string, segmentId: string): Promise<wire.Segment> {
    const rows = await this.#rows<HeadJoined<SegmentRow>>(statements.segment, [
      tenant,
      id,
      segmentId,
    ])
    headFrom(id, rows)
    const [row] = joinedRows<SegmentRow>(rows)
    if (row === undefined) throw new Problem('segment-not-found')
    return segmentFromRow(id, row)
  }

  /** Returns the newest messages or turns, by default all if they are not more than `max`. */
  async #history(
    { tenant }: Principal,
    id: string,
    { last, lastTurns, shown = said, minCursor }: HistoryQuery,
    max: number,
  ): Promise<wire.History> {
    if (lastTurns !== undefined) {
      const query = { count: lastTurns, shown, minCursor }
      const read = await readNewestTurns(this.#database, tenant, id, query)
      const { messages, version, cursor } = read
      return { conversationId: id, version, cursor, messages }
    }
    const limit = last ?? Math.min(max + 1, limitMax)
    const query = { limit, fromEnd: true, shown, minCursor }
    const read = await readShown(this.#database, tenant, id, query)
    const { messages, version, cursor } = read
    if (last === undefined && messages.length > max)
      throw new Problem(
        'history-too-long',
        `The conversation has more than ${max} messages, the most in one answer. Ask for the newest ones with \`last\`, or page through \`/messages\`.`,
      )
    return { conversationId: id, version, cursor, messages }
  }

  #rows<Row extends object>(text: string, params: readonly Param[]): Promise<Row[]> {
    return ask<Row>(this.#database, 'read', { text, params })
  }
}
