/**
 * Lapses end rows that are past their deadline: seats whose words did not arrive, voice sessions
 * without a socket, and held audio whose turn did not arrive. Every node looks for such rows. If two nodes
 * find the same row, the second database call changes nothing.
 */
import type { Events } from '../../events.ts'
import { createPeriodicWork, type PeriodicWork } from '../../mechanics/periodic-work.ts'
import type { Database } from '../../ports/database.ts'
import { type MessageRow, messageFromRow, messageList } from '../sql/rows.ts'
import { localPrincipal, type Principal } from '../wire/principal.ts'
import { now, printTime } from '../wire/time.ts'
import type { Writes } from '../writing/writes.ts'
import type { VoiceSessions } from './voice-session-store.ts'

/** Milliseconds between two looks for due rows. */
const everyMs = 1000

/** The maximum number of due rows of one kind that one look reads. */
const rowsMax = 100

export const lapseStatements = {
  due: `(SELECT 'seats' AS kind, m.tenant, m.conversation_id AS "conversationId", NULL AS "session" FROM (
      SELECT * FROM conversation_messages m WHERE m.state = 'pending' AND m.seat_until <= $1::text::timestamptz
      ORDER BY m.seat_until LIMIT $2::integer) m GROUP BY m.tenant, m.conversation_id)
    UNION ALL
    (SELECT 'session', v.tenant, v.conversation_id, v.id FROM voice_sessions v
     WHERE v.ended_at IS NULL AND v.lease_until <= $1::text::timestamptz ORDER BY v.lease_until LIMIT $2::integer)
    UNION ALL
    (SELECT 'audio', h.tenant, h.conversation_id, NULL FROM held_audio h
     WHERE h.expires_at <= $1::text::timestamptz ORDER BY h.expires_at LIMIT 1)`,
  seats: `SELECT w.version AS "at", ${messageList('(w.message)')}
    FROM turnlog_expire_seats_v1($1, $2::uuid, $3::text::timestamptz, $4::integer, $5::integer) w`,
  audio: 'DELETE FROM held_audio WHERE expires_at <= $1::text::timestamptz',
}

export type DueRow = {
  kind: 'seats' | 'session' | 'audio'
  tenant: string
  conversationId: string
  session: string | null
}

export type ExpiredSeatRow = MessageRow & { at: number }

/** Starts to end seats, voice sessions and held audio whose deadlines have passed. */
export function createLapses(options: {
  readonly database: Database
  readonly writes: Writes
  readonly voiceSessions: Pick<VoiceSessions, 'lapse'>
  readonly events: Pick<Events, 'workFailed'>
}): PeriodicWork {
  const { database, writes, voiceSessions, events } = options

  const expireSeats = async (principal: Principal, id: string, at: string) => {
    const rows = await writes.run<ExpiredSeatRow>('repeatable', {
      text: lapseStatements.seats,
      params: [principal.tenant, id, at, rowsMax, writes.lockTimeoutMs],
    })
    const [first, last] = [rows[0], rows.at(-1)]
    if (first === undefined || last === undefined) return
    const messages = rows.map((row) => messageFromRow(id, row))
    writes.announce(principal, id, last.at, 'messages', messages, first.at - 1)
  }

  const endDue = async () => {
    const at = printTime(now())
    let failedId: string | undefined
    try {
      const due = await database.query<DueRow>({ text: lapseStatements.due, params: [at, rowsMax] })
      for (const { kind, tenant, conversationId, session } of due) {
        const principal = { ...localPrincipal, tenant }
        failedId = conversationId
        if (kind === 'seats') await expireSeats(principal, conversationId, at)
        else if (kind === 'session')
          await voiceSessions.lapse(principal, conversationId, session ?? '')
        else await writes.run('repeatable', { text: lapseStatements.audio, params: [at] })
      }
    } catch (thrown) {
      // The next look finds the rows that are still due.
      events.workFailed('lapses', thrown, failedId)
    }
  }

  return createPeriodicWork(everyMs, endDue)
}
