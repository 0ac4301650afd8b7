/**
 * A page of changes holds every row that a range of versions touched, and ends between two
 * versions.
 */
import { Buffer } from 'node:buffer'
import { Problem } from '../../problem.ts'
import {
  type ConversationRow,
  conversationFromRow,
  conversationObject,
  type MessageRow,
  messageFromRow,
  messageObject,
  type SegmentRow,
  segmentFromRow,
  segmentObject,
  type VoiceSessionRow,
  voiceSessionFromRow,
  voiceSessionObject,
} from '../sql/rows.ts'
import { encodeCursor } from '../wire/ids.ts'
import type { ChangePage } from '../wire/schemas.ts'

/**
 * The conversation, and the messages, segments and voice sessions that changed after version $3. Of
 * each kind at most $4 + 5 rows are read. One version touches at most four rows, so the version of
 * the $4-th row is complete, and a further row shows that more follow.
 */
export const changesStatement = `
  SELECT 'conversation' AS kind, ${conversationObject('c')} AS row
  FROM conversations c WHERE c.tenant = $1 AND c.id = $2::uuid
  UNION ALL
  (SELECT 'message', ${messageObject('m')} FROM conversation_messages m
   WHERE m.tenant = $1 AND m.conversation_id = $2::uuid AND m.version > $3::bigint
   ORDER BY m.version, m.seq LIMIT $4::integer + 5)
  UNION ALL
  (SELECT 'segment', ${segmentObject('s')} FROM segments s
   WHERE s.tenant = $1 AND s.conversation_id = $2::uuid AND s.version > $3::bigint
   ORDER BY s.version LIMIT $4::integer + 5)
  UNION ALL
  (SELECT 'voiceSession', ${voiceSessionObject('v')} FROM voice_sessions v
   WHERE v.tenant = $1 AND v.conversation_id = $2::uuid AND v.version > $3::bigint
   ORDER BY v.version LIMIT $4::integer + 5)`

export type ChangeRow =
  | { kind: 'conversation'; row: ConversationRow }
  | { kind: 'message'; row: MessageRow }
  | { kind: 'segment'; row: SegmentRow }
  | { kind: 'voiceSession'; row: VoiceSessionRow }

/**
 * Returns the page after version `from`. It ends at the version of its `limit`-th row, before a
 * version that would exceed `bytesMax` (it holds at least one), or at the head if no rows follow.
 * Fails with `conversation-not-found`, `conversation-erased` or `cursor-ahead`.
 */
export function changePage(
  id: string,
  from: number,
  rows: readonly ChangeRow[],
  bounds: { limit: number; bytesMax: number },
): ChangePage {
  const head = rows.find((row) => row.kind === 'conversation')?.row
  if (head === undefined) throw new Problem('conversation-not-found')
  if (head.erasedAt !== null) throw new Problem('conversation-erased')
  if (from > head.version) throw new Problem('cursor-ahead')

  const changed = rows
    .filter((row) => row.kind !== 'conversation')
    .sort((a, b) => a.row.version - b.row.version)
  const end = pageEnd(changed, bounds) ?? head.version
  const inPage = changed.filter(({ row }) => row.version <= end)
  const messages = inPage.flatMap((one) =>
    one.kind === 'message' ? [messageFromRow(id, one.row)] : [],
  )
  const segments = inPage.flatMap((one) =>
    one.kind === 'segment' ? [segmentFromRow(id, one.row)] : [],
  )
  const voiceSessions = inPage.flatMap((one) =>
    one.kind === 'voiceSession' ? [voiceSessionFromRow(id, one.row)] : [],
  )
  const touched = head.selfVersion > from && head.selfVersion <= end
  return {
    from,
    version: end,
    cursor: encodeCursor(id, end),
    messages,
    ...(segments.length > 0 ? { segments } : {}),
    ...(voiceSessions.length > 0 ? { voiceSessions } : {}),
    ...(touched ? { conversation: conversationFromRow(head) } : {}),
    hasMore: end < head.version,
  }
}

/** Returns the last version of a page that cannot hold all rows, or undefined if it holds all. */
function pageEnd(
  changed: readonly ChangeRow[],
  { limit, bytesMax }: { limit: number; bytesMax: number },
): number | undefined {
  let bytes = 0
  let whole: number | undefined
  let current: number | undefined
  for (const [index, { row }] of changed.entries()) {
    if (row.version !== current) {
      // All rows of the previous version are in the page: it may end there.
      whole = current
      if (whole !== undefined && (index >= limit || bytes >= bytesMax)) return whole
      current = row.version
    }
    // A printed message has its text twice: in `content` and in `parts`.
    bytes += Buffer.byteLength(JSON.stringify(row)) * 2
    if (bytes > bytesMax && whole !== undefined) return whole
  }
  return undefined
}
