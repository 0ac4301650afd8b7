/** Reads of voice sessions: one session with its figures, and pages of sessions. */
import type { Database } from '../../ports/database.ts'
import { Problem } from '../../problem.ts'
import type { PageQuery } from '../reading/reader.ts'
import { ask } from '../sql/database-problems.ts'
import { headFrom, joinedRows, keyset } from '../sql/head-row.ts'
import { type VoiceSessionRow, voiceSessionFromRow, voiceSessionList } from '../sql/rows.ts'
import { type HeadJoined, joinedToHead } from '../sql/statements.ts'
import { encodePage } from '../wire/ids.ts'
import type { Principal } from '../wire/principal.ts'
import type {
  VoiceSessionFigures,
  VoiceSessionList,
  VoiceSessionReport,
} from '../wire/voice-schemas.ts'

/** Each function fails as the reads of `Reader` do, and with the codes that it lists. */
export type VoiceSessionReads = {
  /** One session with its figures. Fails with `voice-session-not-found`. */
  get(principal: Principal, id: string, sessionId: string): Promise<VoiceSessionReport>
  /** A page of the sessions, in the order of their start. Fails with `page-invalid`. */
  list(principal: Principal, id: string, query: PageQuery): Promise<VoiceSessionList>
}

const figures = `
  SELECT count(*)::integer AS turns, coalesce(sum(h.duration_seconds), 0)::integer AS "audioSeconds",
    count(a.heard)::integer AS interruptions,
    (percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM a.first_audio_at - h.speech_ended_at) * 1000)
      )::float8 AS "responseMilliseconds"
  FROM conversation_messages h
  LEFT JOIN LATERAL (
    SELECT a.* FROM conversation_messages a
    WHERE a.conversation_id = h.conversation_id AND a.turn_id = h.turn_id AND a.role = 'ai'
      AND a.seq = CASE WHEN h.opened_version IS NULL THEN h.seq + 1 ELSE h.answer_seq END
  ) a ON true
  WHERE h.conversation_id = $2::uuid AND h.voice_session_id = $3`

const page = (condition: string) =>
  joinedToHead(
    voiceSessionList('r'),
    `SELECT v.* FROM voice_sessions v WHERE v.conversation_id = $2::uuid ${condition}
     ORDER BY v.started_at, v.id LIMIT $3::integer`,
    'r.started_at, r.id',
  )

export const sessionReads = {
  get: joinedToHead(
    `${voiceSessionList('r')}, r.turns, r."audioSeconds", r.interruptions, r."responseMilliseconds"`,
    `SELECT v.*, f.* FROM voice_sessions v CROSS JOIN LATERAL (${figures}) f
     WHERE v.conversation_id = $2::uuid AND v.id = $3`,
    'r.id',
  ),
  list: page(''),
  listMore: page('AND (v.started_at, v.id) > ($4::timestamptz, $5)'),
}

export type SessionReportRow = VoiceSessionRow & VoiceSessionFigures

export function createVoiceSessionReads(database: Database): VoiceSessionReads {
  return {
    async get(principal, id, sessionId) {
      const rows = await ask<HeadJoined<SessionReportRow>>(database, 'read', {
        text: sessionReads.get,
        params: [principal.tenant, id, sessionId],
      })
      headFrom(id, rows)
      const [row] = joinedRows<SessionReportRow>(rows)
      if (row === undefined) throw new Problem('voice-session-not-found')
      const { turns, audioSeconds, interruptions, responseMilliseconds } = row
      return {
        ...voiceSessionFromRow(id, row),
        figures: { turns, audioSeconds, interruptions, responseMilliseconds },
      }
    },

    async list(principal, id, { page, limit }) {
      const isId = (text: string) => text.length <= 255 && !text.includes('\0')
      const rows = await ask<HeadJoined<VoiceSessionRow>>(database, 'read', {
        text: page === undefined ? sessionReads.list : sessionReads.listMore,
        params: [
          ...[principal.tenant, id, limit + 1],
          ...(page === undefined ? [] : keyset('voiceSessions', page, isId)),
        ],
      })
      const { version, cursor } = headFrom(id, rows)
      const found = joinedRows<VoiceSessionRow>(rows)
      const last = found.length > limit ? found[limit - 1] : undefined
      return {
        voiceSessions: found.slice(0, limit).map((row) => voiceSessionFromRow(id, row)),
        nextPage:
          last === undefined ? null : encodePage('voiceSessions', [last.startedAt, last.id]),
        version,
        cursor,
      }
    },
  }
}
