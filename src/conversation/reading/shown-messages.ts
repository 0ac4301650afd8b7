/** Reads the messages of a conversation that a view shows. */
import { mapInSlices } from '../../mechanics/time-slices.ts'
import type { Database } from '../../ports/database.ts'
import { ask } from '../sql/database-problems.ts'
import { headFrom, joinedRows } from '../sql/head-row.ts'
import { type MessageRow, messageFromRow } from '../sql/rows.ts'
import { type HeadJoined, statements } from '../sql/statements.ts'
import type { Message } from '../wire/schemas.ts'
import { asHeard, type Shown } from '../wire/views.ts'

/** The largest LIMIT of Postgres. */
export const limitMax = 2147483647

export type ShownQuery = {
  readonly after?: number | undefined
  readonly before?: number | undefined
  readonly limit: number
  /** Whether the messages are the newest ones in range. They are in ascending `seq` either way. */
  readonly fromEnd: boolean
  readonly shown: Shown
  readonly minCursor?: string | undefined
}

export type ShownMessages = ReturnType<typeof headFrom> & { readonly messages: Message[] }

/** The states that are shown, and whether messages that were not heard are left out. */
const shownParams = ({ view, pending }: Shown) => [
  pending ? ['filled', 'pending'] : ['filled'],
  view === 'heard',
]

/**
 * Returns the shown messages in range, at most `limit`. Postgres cannot tell where graphemes end, so
 * it may return messages of which no whole grapheme was heard. If too few messages remain then, this
 * function reads again with twice the limit.
 */
export async function readShown(
  database: Database,
  tenant: string,
  id: string,
  { after = 0, before = Number.MAX_SAFE_INTEGER, limit, fromEnd, shown, minCursor }: ShownQuery,
): Promise<ShownMessages> {
  const text = fromEnd ? statements.newest : statements.oldest
  for (let rowsMax = limit; ; rowsMax = Math.min(2 * rowsMax, limitMax)) {
    const params = [tenant, id, after, before, rowsMax, ...shownParams(shown)]
    const rows = await ask<HeadJoined<MessageRow>>(database, 'read', { text, params })
    const head = headFrom(id, rows, minCursor)
    const found = joinedRows<MessageRow>(rows)
    const messages = await visible(id, found, shown)
    const isWhole = messages.length >= limit || found.length < rowsMax || rowsMax === limitMax
    if (!isWhole) continue
    return { ...head, messages: fromEnd ? messages.slice(-limit) : messages.slice(0, limit) }
  }
}

export type TurnsQuery = Pick<ShownQuery, 'shown' | 'minCursor'> & { readonly count: number }

/**
 * Returns the shown messages of the newest turns that have any, in ascending `seq`. The place of a
 * turn is that of its first message, shown or not. It reads again for the same reason as `readShown`.
 */
export async function readNewestTurns(
  database: Database,
  tenant: string,
  id: string,
  { count, shown, minCursor }: TurnsQuery,
): Promise<ShownMessages> {
  const text = statements.newestTurns
  for (let turnsMax = count; ; turnsMax *= 2) {
    const params = [tenant, id, turnsMax, ...shownParams(shown)]
    const rows = await ask<HeadJoined<MessageRow>>(database, 'read', { text, params })
    const head = headFrom(id, rows, minCursor)
    const found = joinedRows<MessageRow>(rows)
    const messages = await visible(id, found, shown)
    // The rows are in the order of their turns.
    const turns = [...new Set(messages.map(({ turnId }) => turnId))]
    const isWhole = new Set(found.map(({ turnId }) => turnId)).size < turnsMax
    if (turns.length < count && !isWhole) continue
    const newest = new Set(turns.slice(-count))
    const shownMessages = messages.filter(({ turnId }) => newest.has(turnId))
    return { ...head, messages: shownMessages.sort((a, b) => a.seq - b.seq) }
  }
}

async function visible(
  id: string,
  rows: readonly MessageRow[],
  { view }: Shown,
): Promise<Message[]> {
  const messages = await mapInSlices(rows, (row) => {
    const message = messageFromRow(id, row)
    return view === 'heard' ? asHeard(message) : message
  })
  return messages.filter((message) => message !== undefined)
}
