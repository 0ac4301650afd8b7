/** Parts of every list read: the conversation's head, and the keys after which a page continues. */
import { Problem } from '../../problem.ts'
import { decodeCursor, decodePage, encodeCursor } from '../wire/ids.ts'
import { parseTime, printTime } from '../wire/time.ts'
import { isUuid } from '../wire/validation.ts'
import type { HeadJoined, HeadRow } from './statements.ts'

/**
 * Returns the head in a joined answer. Fails with `conversation-not-found`, `conversation-erased`,
 * `cursor-invalid` or `cursor-ahead`.
 */
export function headFrom(
  id: string,
  rows: readonly HeadRow[],
  minCursor?: string,
): { version: number; lastSeq: number; cursor: string } {
  const [row] = rows
  if (row === undefined) throw new Problem('conversation-not-found')
  if (row.headErased !== null) throw new Problem('conversation-erased')
  if (minCursor !== undefined && decodeCursor(id, minCursor) > row.headVersion)
    throw new Problem('cursor-ahead')
  const { headVersion: version, headSeq: lastSeq } = row
  return { version, lastSeq, cursor: encodeCursor(id, version) }
}

/** Returns the rows that were joined to the head. */
export const joinedRows = <Row extends { id: string }>(rows: readonly HeadJoined<Row>[]) =>
  rows.filter((row): row is HeadRow & Row => row.id !== null)

/** Returns the time and the id after which the next page continues. Fails with `page-invalid`. */
export function keyset(
  list: string,
  page: string,
  isId: (text: string) => boolean = isUuid,
): [string, string] {
  const [at, id] = decodePage(list, 2, page)
  const time = at === undefined ? undefined : parseTime(at.replace(/\+00$/, 'Z'))
  if (at === undefined || id === undefined || time === undefined || !isId(id))
    throw new Problem('page-invalid')
  // Printed again: a forged token may have a form that Postgres does not accept.
  return [printTime(time), id]
}
