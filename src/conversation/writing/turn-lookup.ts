/** Looks up turns after a lost connection: which of them were recorded. */
import type { Database } from '../../ports/database.ts'
import type { PendingTurn, TurnPosition } from './pending-turn.ts'

export const lookupStatement = `SELECT m.id, f.seq, f.recorded_version AS "version", c.version AS "head",
    a.tts_audio_urls AS "urls", true AS "began"
  FROM unnest($1::text[], $2::text[]::uuid[], $3::text[]::uuid[]) AS sent(tenant, c, id)
  CROSS JOIN LATERAL (SELECT * FROM conversation_messages m
    WHERE m.conversation_id = sent.c AND m.id = sent.id AND m.tenant = sent.tenant LIMIT 1) m
  CROSS JOIN LATERAL (SELECT * FROM conversation_messages f
    WHERE f.conversation_id = sent.c AND f.id = m.turn_id LIMIT 1) f
  CROSS JOIN LATERAL (SELECT * FROM conversation_messages a
    WHERE a.conversation_id = sent.c AND a.seq = f.seq + CASE WHEN f.role = 'ai' THEN 0 ELSE 1 END LIMIT 1) a
  CROSS JOIN LATERAL (SELECT * FROM conversations c WHERE c.id = sent.c LIMIT 1) c`

export type FoundRow = TurnPosition & { id: string }

/** How long the look-up of a batch is tried after a lost connection, in milliseconds. */
const lookupMs = 3000
const lookupPauseMs = 100

/**
 * The positions of the turns that were recorded, by the id that `ownId` returns. Undefined if the
 * database did not answer in time.
 */
export async function lookUp(
  database: Database,
  sent: readonly PendingTurn[],
): Promise<Map<string, TurnPosition> | undefined> {
  const until = performance.now() + lookupMs
  const sentIds = sent.flatMap((pending) => {
    const id = ownId(pending)
    const { tenant, conversationId } = pending.turn.row
    return id === undefined ? [] : [{ tenant, conversationId, id }]
  })
  const params = [
    sentIds.map(({ tenant }) => tenant),
    sentIds.map(({ conversationId }) => conversationId),
    sentIds.map(({ id }) => id),
  ]
  for (;;) {
    try {
      // It is no longer known whether the turn began a voice session, so `began` is true.
      const rows = await database.query<FoundRow>(
        { text: lookupStatement, params },
        { deadlineMs: Math.max(1, until - performance.now()) },
      )
      return new Map(rows.map(({ id, ...position }) => [id, position]))
    } catch {
      if (performance.now() + lookupPauseMs >= until) return undefined
      await new Promise((resolve) => setTimeout(resolve, lookupPauseMs))
    }
  }
}

/**
 * An id of the turn that this service made: a recorded message with it belongs to this very turn.
 * Ids that the caller gave may have been recorded long before. If the caller gave every id, this is
 * undefined, and only the key of the turn can identify it.
 */
export const ownId = ({ turn: { row } }: PendingTurn): string | undefined =>
  [row.assistant.id, row.human?.id].find((id) => id !== undefined && !row.callerIds?.includes(id))
