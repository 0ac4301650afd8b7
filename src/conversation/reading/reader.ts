/** The reads. Rows, `version` and `cursor` of an answer come from one statement, so one snapshot. */

import { mapInSlices } from '../../mechanics/time-slices.ts'
import type { Database, Param } from '../../ports/database.ts'
import { Problem } from '../../problem.ts'
import { ask } from '../sql/database-problems.ts'
import { headFrom, keyset, present } from '../sql/head-row.ts'
import {
  type ConversationRow,
  conversationFromRow,
  type MessageRow,
  messageFromRow,
  type SegmentRow,
  segmentFromRow,
} from '../sql/rows.ts'
import {
  type Beside,
  type HeadRow,
  type ListedConversationRow,
  lists,
  statements,
} from '../sql/statements.ts'
import { decodeCursor, encodePage } from '../wire/ids.ts'
import type { Principal } from '../wire/principal.ts'
import type * as wire from '../wire/schemas.ts'
import { asHeard, type Shown, said } from '../wire/views.ts'
import { type ChangeRow, changePage, changesStatement } from './changes.ts'

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

export type ReadLimits = { readonly historyMessagesMax: number; readonly changesBytesMax: number }

/**
 * Every read fails with `conversation-not-found`, `conversation-erased` or a `database-` code;
 * those with a cursor with `cursor-invalid` and `cursor-ahead`, too.
 */
export type Reader = {
  head(principal: Principal, id: string): Promise<Head>
  conversation(principal: Principal, id: string): Promise<wire.Conversation>
  /** The conversation and the version that last touched the row itself, for a checked change. */
  conversationRow(principal: Principal, id: string): Promise<ConversationRow>
  conversations(
    principal: Principal,
    query: PageQuery & { readonly externalId?: string },
  ): Promise<wire.ConversationList>
  /**
   * A page is the messages nearest to the bound given (`after`, where both are); without a bound,
   * the start of the order.
   */
  messages(principal: Principal, id: string, query: MessageQuery): Promise<wire.MessagePage>
  /** The newest messages in order, seats and all, `limit` at most; and the newest one's seq. */
  newest(
    principal: Principal,
    id: string,
    query: { readonly limit: number; readonly minCursor?: string },
  ): Promise<Head & { readonly messages: wire.Message[] }>
  /** The messages of one turn as they now are, with the cursor of now. */
  turn(principal: Principal, id: string, turnId: string): Promise<wire.Message[]>
  /** The newest `last` messages in order, or all of them: `history-too-long` past the bound. */
  history(
    principal: Principal,
    id: string,
    query: { readonly last?: number; readonly shown?: Shown; readonly minCursor?: string },
  ): Promise<wire.History>
  /** Every message in order as it was said, however many: the canonical history. */
  loadCanonicalHistory(principal: Principal, id: string): Promise<wire.History>
  changes(
    principal: Principal,
    id: string,
    query: { readonly since?: string; readonly limit: number },
  ): Promise<wire.ChangePage>
  segments(principal: Principal, id: string, query: PageQuery): Promise<wire.SegmentList>
  segment(principal: Principal, id: string, segmentId: string): Promise<wire.Segment>
}

/** As many messages as Postgres counts in a LIMIT. */
const everything = 2147483647

/** The states shown, and whether what nobody heard is left out. */
const shownParams = ({ view, pending }: Shown) => [
  pending ? ['filled', 'pending'] : ['filled'],
  view === 'heard',
]

export function createReader(database: Database, limits: ReadLimits): Reader {
  const rowsOf = <Row extends object>(text: string, params: readonly Param[]) =>
    ask<Row>(database, 'read', { text, params })

  const conversationRow = async (principal: Principal, id: string) => {
    const [row] = await rowsOf<ConversationRow>(statements.conversation, [principal.tenant, id])
    if (row === undefined) throw new Problem('conversation-not-found')
    if (row.erasedAt !== null) throw new Problem('conversation-erased')
    return row
  }

  /** The newest `last`, or all as far as there are no more than `max`. */
  const read = async (
    principal: Principal,
    id: string,
    last: number | undefined,
    max: number,
    shown: Shown,
    minCursor?: string,
  ): Promise<wire.History> => {
    const limit = last ?? Math.min(max + 1, everything)
    const rows = await rowsOf<Beside<MessageRow>>(statements.newest, [
      ...[principal.tenant, id, 0, Number.MAX_SAFE_INTEGER, limit],
      ...shownParams(shown),
    ])
    const { version, cursor } = headFrom(id, rows, minCursor)
    const found = present<MessageRow>(rows)
    if (last === undefined && found.length > max)
      throw new Problem(
        'history-too-long',
        `The conversation has more than ${max} messages, which is the most that one answer holds: ask for \`last\`, or page through \`/messages\`.`,
      )
    return { conversationId: id, version, cursor, messages: await visible(id, found, shown) }
  }

  const visible = async (
    id: string,
    rows: readonly MessageRow[],
    { view }: Shown,
  ): Promise<wire.Message[]> => {
    const messages = await mapInSlices(rows, (row) => {
      const message = messageFromRow(id, row)
      return view === 'heard' ? asHeard(message) : message
    })
    return messages.filter((message) => message !== undefined)
  }

  const reader: Reader = {
    async head(principal, id) {
      return headFrom(id, await rowsOf<HeadRow>(statements.head, [principal.tenant, id]))
    },

    conversationRow,

    async conversation(principal, id) {
      return conversationFromRow(await conversationRow(principal, id))
    },

    async conversations(principal, { page, limit, externalId }) {
      if (externalId !== undefined) {
        const found = await rowsOf<ConversationRow>(statements.byExternalId, [
          principal.tenant,
          externalId,
        ])
        return { conversations: found.map(conversationFromRow), nextPage: null }
      }
      const rows = await rowsOf<ListedConversationRow>(
        page === undefined ? lists.conversations : lists.conversationsMore,
        [principal.tenant, limit + 1, ...(page === undefined ? [] : keyset('conversations', page))],
      )
      const last = rows.length > limit ? rows[limit - 1] : undefined
      return {
        conversations: rows.slice(0, limit).map(conversationFromRow),
        nextPage: last === undefined ? null : encodePage('conversations', [last.activity, last.id]),
      }
    },

    async messages(principal, id, { after, before, limit, order, shown = said, minCursor }) {
      const fromEnd = after === undefined && (before !== undefined || order === 'desc')
      const rows = await rowsOf<Beside<MessageRow>>(
        fromEnd ? statements.newest : statements.oldest,
        [
          ...[principal.tenant, id, after ?? 0, before ?? Number.MAX_SAFE_INTEGER, limit + 1],
          ...shownParams(shown),
        ],
      )
      const { version, cursor } = headFrom(id, rows, minCursor)
      const found = await visible(id, present<MessageRow>(rows), shown)
      const hasMore = found.length > limit
      const messages = fromEnd ? found.slice(-limit) : found.slice(0, limit)
      if (order === 'desc') messages.reverse()
      return { messages, hasMore, version, cursor }
    },

    async newest(principal, id, { limit, minCursor }) {
      const params = [principal.tenant, id, 0, Number.MAX_SAFE_INTEGER, limit, null, false]
      const rows = await rowsOf<Beside<MessageRow>>(statements.newest, params)
      const messages = present<MessageRow>(rows).map((row) => messageFromRow(id, row))
      return { ...headFrom(id, rows, minCursor), messages }
    },

    async turn(principal, id, turnId) {
      const rows = await rowsOf<MessageRow>(statements.turn, [principal.tenant, id, turnId])
      return rows.map((row) => messageFromRow(id, row))
    },

    history: (principal, id, { last, shown = said, minCursor }) =>
      read(principal, id, last, limits.historyMessagesMax, shown, minCursor),

    loadCanonicalHistory: (principal, id) => read(principal, id, undefined, everything, said),

    async changes(principal, id, { since, limit }) {
      const from = since === undefined ? 0 : decodeCursor(id, since)
      const rows = await rowsOf<ChangeRow>(changesStatement, [principal.tenant, id, from, limit])
      return changePage(id, from, rows, { limit, bytesMax: limits.changesBytesMax })
    },

    async segments(principal, id, { page, limit }) {
      const rows = await rowsOf<Beside<SegmentRow>>(
        page === undefined ? lists.segments : lists.segmentsMore,
        [principal.tenant, id, limit + 1, ...(page === undefined ? [] : keyset('segments', page))],
      )
      const { version, cursor } = headFrom(id, rows)
      const found = present<SegmentRow>(rows)
      const last = found.length > limit ? found[limit - 1] : undefined
      return {
        segments: found.slice(0, limit).map((row) => segmentFromRow(id, row)),
        nextPage: last === undefined ? null : encodePage('segments', [last.createdAt, last.id]),
        version,
        cursor,
      }
    },

    async segment(principal, id, segmentId) {
      const rows = await rowsOf<Beside<SegmentRow>>(statements.segment, [
        principal.tenant,
        id,
        segmentId,
      ])
      headFrom(id, rows)
      const [row] = present<SegmentRow>(rows)
      if (row === undefined) throw new Problem('segment-not-found')
      return segmentFromRow(id, row)
    },
  }
  return reader
}
