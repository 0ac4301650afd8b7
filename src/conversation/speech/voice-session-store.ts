/** Voice sessions: started and ended, carried on by the sockets that speak in them, and read back. */
import type { Database } from '../../ports/database.ts'
import { Problem } from '../../problem.ts'
import { type VoiceSessionRow, voiceSessionFromRow, voiceSessionList } from '../sql/rows.ts'
import { encodeCursor, newId } from '../wire/ids.ts'
import type { Principal } from '../wire/principal.ts'
import type { VoiceSession } from '../wire/schemas.ts'
import { now, printTime, secondsAfter } from '../wire/time.ts'
import type { NewVoiceSession } from '../wire/voice-schemas.ts'
import type { Writes } from '../writing/writes.ts'
import { createVoiceSessionReads, type VoiceSessionReads } from './voice-session-reads.ts'

/** A session, and the conversation's cursor after the call. */
export type SessionAt = {
  readonly voiceSession: VoiceSession
  readonly version: number
  readonly cursor: string
}

export type SessionName = {
  readonly tenant: string
  readonly conversationId: string
  readonly id: string
}

/** Each write fails as the store's writes do, and with what is said beside it. */
export type VoiceSessions = VoiceSessionReads & {
  /**
   * The same again answers the session as it is. With `isCarried` it ends by itself once nobody has
   * carried it on for the grace. Fails with `voice-session-ended` or `voice-session-taken`.
   */
  start(
    principal: Principal,
    id: string,
    body: NewVoiceSession,
    isCarried?: boolean,
  ): Promise<SessionAt & { readonly created: boolean }>
  /** Fails with `voice-session-not-found` or `voice-session-ended`. */
  end(principal: Principal, id: string, sessionId: string): Promise<SessionAt>
  /** Ends it if nobody has carried it on. False: it goes on, or has ended, or is gone. */
  lapse(principal: Principal, id: string, sessionId: string): Promise<boolean>
  /** Somebody speaks in them: they go on until they are left, or for long after a node that is gone. */
  carryOn(names: readonly SessionName[]): Promise<void>
  /** Nobody speaks in them here any more: they end after the grace, unless another node carries them on. */
  leave(names: readonly SessionName[]): Promise<void>
}

export type SessionBounds = {
  /** How long a session goes on after nobody speaks in it any more. */
  readonly sessionGraceSeconds: number
}

/** A node may be held up for so long, and has not lost its sockets. */
const stallSeconds = 10

/** Locked in one order: two nodes may carry on the same ones. */
const lease = (until: string) => `WITH named AS (
      SELECT v.conversation_id, v.id FROM unnest($1::text[], $2::text[]::uuid[], $3::text[]) AS n(tenant, c, id)
      CROSS JOIN LATERAL (SELECT * FROM voice_sessions v WHERE v.conversation_id = n.c AND v.id = n.id
        AND v.tenant = n.tenant AND v.ended_at IS NULL LIMIT 1) v
    ), held AS MATERIALIZED (
      SELECT v.conversation_id, v.id FROM voice_sessions v
      WHERE (v.conversation_id, v.id) IN (SELECT conversation_id, id FROM named)
      ORDER BY v.conversation_id, v.id FOR NO KEY UPDATE
    )
    UPDATE voice_sessions v SET lease_until = ${until}
    FROM held h WHERE v.conversation_id = h.conversation_id AND v.id = h.id AND v.ended_at IS NULL`

export const sessionCalls = {
  start: `SELECT w.outcome, w.head, ${voiceSessionList('(w.session)')} FROM turnlog_start_voice_session_v1(
    $1, $2::uuid, $3, $4::text::jsonb, $5::text::timestamptz, $6::text::timestamptz, $7::integer) w`,
  end: `SELECT w.outcome, w.head, ${voiceSessionList('(w.session)')} FROM turnlog_end_voice_session_v1(
    $1, $2::uuid, $3, $4::text::timestamptz, $5::text::timestamptz, $6::integer) w`,
  carryOn: lease('greatest(v.lease_until, $4::text::timestamptz)'),
  leave: lease('$4::text::timestamptz'),
}

export type WrittenSessionRow = VoiceSessionRow & { outcome: string; head: number }

export function createVoiceSessions(
  database: Database,
  { write, run, announce, lockTimeoutMs }: Writes,
  { sessionGraceSeconds }: SessionBounds,
): VoiceSessions {
  const leaseUntil = (seconds: number) => printTime(secondsAfter(now(), seconds))
  const spoken = sessionGraceSeconds + stallSeconds

  const renew = async (text: string, names: readonly SessionName[], seconds: number) => {
    if (names.length === 0) return
    const params = [
      names.map(({ tenant }) => tenant),
      names.map(({ conversationId }) => conversationId),
      names.map(({ id }) => id),
      leaseUntil(seconds),
    ]
    await run('repeatable', { text, params })
  }

  const sessionAt = (id: string, row: WrittenSessionRow): SessionAt => ({
    voiceSession: voiceSessionFromRow(id, row),
    version: row.head,
    cursor: encodeCursor(id, row.head),
  })

  const end = async (principal: Principal, id: string, sessionId: string, idleAt: string | null) =>
    await write<WrittenSessionRow>(
      sessionCalls.end,
      [principal.tenant, id, sessionId, printTime(now()), idleAt, lockTimeoutMs],
      ['ended', 'unchanged'],
      // Sent again, it is answered that the session has ended.
      { isRepeatable: true },
    )

  return {
    async start(principal, id, body, isCarried = false) {
      const row = await write<WrittenSessionRow>(
        sessionCalls.start,
        [
          principal.tenant,
          id,
          body.id ?? newId(),
          body.metadata === undefined ? null : JSON.stringify(body.metadata),
          printTime(now()),
          isCarried ? leaseUntil(spoken) : null,
          lockTimeoutMs,
        ],
        ['started', 'declared', 'existing'],
        { isRepeatable: body.id !== undefined },
      )
      if (row.outcome !== 'existing') announce(principal, id, row.head, 'more')
      return { ...sessionAt(id, row), created: row.outcome === 'started' }
    },

    async end(principal, id, sessionId) {
      const row = await end(principal, id, sessionId, null)
      announce(principal, id, row.head, 'more')
      return sessionAt(id, row)
    },

    async lapse(principal, id, sessionId) {
      try {
        const row = await end(principal, id, sessionId, printTime(now()))
        if (row.outcome === 'ended') announce(principal, id, row.head, 'more')
        return row.outcome === 'ended'
      } catch (thrown) {
        // Somebody else was first.
        if (thrown instanceof Problem && thrown.status < 500) return false
        throw thrown
      }
    },

    carryOn: (names) => renew(sessionCalls.carryOn, names, spoken),

    leave: (names) => renew(sessionCalls.leave, names, sessionGraceSeconds),

    ...createVoiceSessionReads(database),
  }
}
