/** The writes of turns and segments. */
import { Problem } from '../../problem.ts'
import type { Reader } from '../reading/reader.ts'
import { type SegmentRow, segmentFromRow, segmentList } from '../sql/rows.ts'
import { canonicalId, encodeCursor, newId } from '../wire/ids.ts'
import type { Principal } from '../wire/principal.ts'
import { splitResponses } from '../wire/render.ts'
import type { NewSegment, NewTurn, RecordedTurn, Segment } from '../wire/schemas.ts'
import { now, printTime } from '../wire/time.ts'
import type { Committer } from './committer.ts'
import { prepareTurn } from './turn.ts'
import type { Writes } from './writes.ts'

export type TurnWrites = {
  /**
   * Records a human message and its answer, or an AI message alone. With `key`, a repeated call
   * returns the first result (`replayed: true`). Returns null if the answer has no parts: nothing
   * is written, and the key stays free. Fails with `idempotency-conflict`, `segment-not-found`,
   * `id-taken`, `overloaded`, `conversation-busy` or `outcome-unknown`.
   */
  recordTurn(
    principal: Principal,
    id: string,
    turn: NewTurn,
    key?: string,
  ): Promise<RecordedTurn | null>
  /**
   * Records an AI message alone, without a key. Returns its id, or null if `responses` has no text.
   */
  recordAiTurn(principal: Principal, id: string, responses: string[]): Promise<string | null>
  /** Creates a segment, or returns the one with the same id (`created: false`). */
  createSegment(
    principal: Principal,
    id: string,
    body: NewSegment,
  ): Promise<{ segment: Segment; created: boolean }>
}

export const segmentCalls = {
  segment: `SELECT w.outcome, ${segmentList('(w.segment)')} FROM turnlog_segment_v1(
    $1, $2::uuid, $3::uuid, $4::text::timestamptz, $5::integer) w`,
}

export type WrittenSegmentRow = SegmentRow & { outcome: string }

export function createTurnWrites(
  { write, announce, lockTimeoutMs }: Writes,
  reader: Reader,
  committer: Committer,
): TurnWrites {
  const recordTurn: TurnWrites['recordTurn'] = async (principal, id, turn, key) => {
    if (turn.assistant.responses.length === 0) {
      await reader.head(principal, id)
      return null
    }
    const verdict = await committer.submit(prepareTurn(principal, id, turn, key))
    const messages =
      verdict.replayOf === null
        ? verdict.messages
        : await reader.turn(principal, id, verdict.replayOf)
    const assistant = messages.at(-1)
    // The conversation was erased after the database reported the replay, before its messages were
    // read.
    if (assistant === undefined) throw new Problem('conversation-erased')
    return {
      humanMessageId: messages.find(({ role }) => role === 'human')?.id ?? null,
      assistantMessageId: assistant.id,
      version: verdict.version,
      cursor: encodeCursor(id, verdict.head),
      messages,
      replayed: verdict.replayOf !== null,
    }
  }

  return {
    recordTurn,

    async recordAiTurn(principal, id, responses) {
      const recorded = await recordTurn(principal, id, {
        assistant: { responses: splitResponses(responses) },
      })
      return recorded?.assistantMessageId ?? null
    },

    async createSegment(principal, id, body) {
      const segmentId = canonicalId(body.id ?? newId())
      const row = await write<WrittenSegmentRow>(
        segmentCalls.segment,
        [principal.tenant, id, segmentId, printTime(now()), lockTimeoutMs],
        ['created', 'existing'],
        { isRepeatable: body.id !== undefined },
      )
      const created = row.outcome === 'created'
      if (created) announce(principal, id, row.version, 'more')
      return { segment: segmentFromRow(id, row), created }
    },
  }
}
