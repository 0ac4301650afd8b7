/** What list reads share: the head that every answer comes with, and the keys where a page goes on. */
import { Problem } from '../../problem.ts'
import { decodeCursor, decodePage, encodeCursor } from '../wire/ids.ts'
import { parseTime, printTime } from '../wire/time.ts'
import { isUuid } from '../wire/validation.ts'
import type { HeadJoined, HeadRow } from './statements.ts'

/** The head out of a joined answer; refuses what is not there or is gone. */
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

/** The rows beside the head, if there are any. */
export const joinedRows = <Row extends { id: string }>(rows: readonly HeadJoined<Row>[]) =>
  rows.filter((row): row is HeadRow & Row => row.id !== null)

/** A time and an id, at which a list in that order goes on. */
export function keyset(
  list: string,
  page: string,
  isId: (text: string) => boolean = isUuid,
): [string, string] {
  const [at, id] = decodePage(list, 2, page)
  const time = at === undefined ? undefined : parseTime(at.replace(/\+00$/, 'Z'))
  if (at === undefined || id === undefined || time === undefined || !isId(id))
    throw new Problem('page-invalid')
  // Printed anew: a token that somebody made may hold a form that Postgres does not take.
  return [printTime(time), id]
}
