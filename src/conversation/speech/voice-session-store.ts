/** Writes and reads of voice sessions. Sockets keep open the sessions in which they speak. */
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

/** A voice session, with the version and cursor of its conversation after the call. */
export type SessionAt = {
  readonly voiceSession: VoiceSession
  readonly version: number
  readonly cursor: string
}

/** The name of a session among those of all tenants and conversations. */
export type SessionName = {
  readonly tenant: string
  readonly conversationId: string
  readonly id: string
}

/** Each write fails as the store's writes do, and with the codes that it lists. */
export type VoiceSessions = VoiceSessionReads & {
  /**
   * Starts a session. A repeated call with the same body returns the session (`created: false`).
   * With `isCarried`, sockets keep it open by a lease, and it ends by itself a grace period after
   * the last socket left. Fails with `voice-session-ended` or `voice-session-taken`.
   */
  start(
    principal: Principal,
    id: string,
    body: NewVoiceSession,
    isCarried?: boolean,
  ): Promise<SessionAt & { readonly created: boolean }>
  /** Ends a session. Fails with `voice-session-not-found` or `voice-session-ended`. */
  end(principal: Principal, id: string, sessionId: string): Promise<SessionAt>
  /** Ends a session whose lease is over. Returns false if it was renewed, ended or erased. */
  lapse(principal: Principal, id: string, sessionId: string): Promise<boolean>
  /**
   * Renews the leases of sessions in which sockets of this node speak. Each lease is longer than
   * the grace, so that a stalled node does not lose its sessions.
   */
  carryOn(names: readonly SessionName[]): Promise<void>
  /** Shortens the leases of sessions without a socket on this node to the grace. */
  leave(names: readonly SessionName[]): Promise<void>
}

export type SessionBounds = {
  /** How long a session stays open after its last socket left, in seconds. */
  readonly sessionGraceSeconds: number
}

/** How long a node may stall without losing its sockets, in seconds. */
const stallSeconds = 10

/**
 * The statement that sets the leases of sessions to `until`. It locks the sessions in one order,
 * because two nodes may renew the same ones at once.
 */
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
  const speakingSeconds = sessionGraceSeconds + stallSeconds

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
      // The repetition is answered with `voice-session-ended` and writes nothing.
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
          isCarried ? leaseUntil(speakingSeconds) : null,
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
        // Another node ended or renewed the session first.
        if (thrown instanceof Problem && thrown.status < 500) return false
        throw thrown
      }
    },

    carryOn: (names) => renew(sessionCalls.carryOn, names, speakingSeconds),

    leave: (names) => renew(sessionCalls.leave, names, sessionGraceSeconds),

    ...createVoiceSessionReads(database),
  }
}
