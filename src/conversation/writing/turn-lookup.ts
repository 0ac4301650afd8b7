/** After a lost connection: which of the turns that were sent are there. */
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

/** How long the database is asked, after a lost connection, what became of a batch. */
const lookupMs = 3000
const lookupPauseMs = 100

/** Where turns stand, by an id of theirs. Undefined where the database could not be asked in time. */
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
      // Whether a voice session began is not known any more: it may have.
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
 * An id of the turn that was made here: whoever has it is this very turn. Ids that the caller gave
 * may have been recorded long before; of a turn that has no others, only its key can tell.
 */
export const ownId = ({ turn: { row } }: PendingTurn): string | undefined =>
  [row.assistant.id, row.human?.id].find((id) => id !== undefined && !row.callerIds?.includes(id))
