/** The writes of turns, segments and their audio. */
import { Problem } from '../problem.ts'
import type { Committer } from './commit.ts'
import { canonicalId, encodeCursor, newId } from './ids.ts'
import type { Reader } from './reader.ts'
import { splitResponses } from './render.ts'
import {
  type MessageRow,
  messageFromRow,
  messageList,
  type SegmentRow,
  segmentFromRow,
  segmentList,
} from './rows.ts'
import type { Store } from './store.ts'
import { now, printTime } from './time.ts'
import { messagesOf, prepareTurn } from './turn.ts'
import type { Writes } from './writes.ts'

const calls = {
  segment: `SELECT w.outcome, ${segmentList('(w.segment)')} FROM turnlog_segment_v1(
    $1, $2::uuid, $3::uuid, $4::text::timestamptz, $5::integer) w`,
  attach: `SELECT a.outcome, a.version AS "at", a.parts AS "partCount", ${messageList('(a.message)')}
    FROM turnlog_attach_v1($1, $2::uuid, $3::uuid, $4::text[], $5::integer, $6, $7::uuid, $8::boolean,
      $9::text::timestamptz, $10::integer) a`,
}

export function createTurnWrites(
  { write, announce, lockTimeoutMs }: Writes,
  reader: Reader,
  committer: Committer,
): Pick<Store, 'recordTurn' | 'recordAiTurn' | 'createSegment' | 'attachTts'> {
  const recordTurn: Store['recordTurn'] = async (principal, id, turn, key) => {
    if (turn.assistant.responses.length === 0) {
      await reader.head(principal, id)
      return null
    }
    const prepared = prepareTurn(principal, id, turn, key)
    const { version, seq, head, replayOf } = await committer.submit(prepared)
    const messages =
      replayOf === null
        ? messagesOf(prepared, version, seq)
        : await reader.turn(principal, id, replayOf)
    const assistant = messages.at(-1)
    // Erased between the replay's answer and the reading of its messages.
    if (assistant === undefined) throw new Problem('conversation-erased')
    return {
      humanMessageId: messages.find(({ role }) => role === 'human')?.id ?? null,
      assistantMessageId: assistant.id,
      version,
      cursor: encodeCursor(id, head),
      messages,
      replayed: replayOf !== null,
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
      const row = await write<SegmentRow & { outcome: string }>(
        calls.segment,
        [principal.tenant, id, segmentId, printTime(now()), lockTimeoutMs],
        ['created', 'existing'],
      )
      const created = row.outcome === 'created'
      if (created) announce(principal, id, row.version, 'segments')
      return { segment: segmentFromRow(id, row), created }
    },

    async attachTts(principal, id, messageId, body) {
      const all = 'ttsAudioUrls' in body ? body.ttsAudioUrls : null
      if (all?.every((url) => url === null)) {
        await reader.head(principal, id)
        return null
      }
      type Row = MessageRow & { outcome: string; at: number; partCount: number }
      const row = await write<Row>(
        calls.attach,
        [
          principal.tenant,
          id,
          messageId ?? null,
          all,
          'part' in body ? body.part : null,
          'ttsAudioUrl' in body ? body.ttsAudioUrl : null,
          body.segmentId ?? null,
          body.updateSegment ?? true,
          printTime(now()),
          lockTimeoutMs,
        ],
        ['attached', 'unchanged', 'nothing', 'part-out-of-range'],
      )
      if (row.outcome === 'nothing') return null
      if (row.outcome === 'part-out-of-range')
        throw Problem.of([
          {
            code: 'part-out-of-range',
            in: 'body',
            pointer: '/part',
            message: `the message has ${row.partCount} parts, counted from 0`,
          },
        ])
      const message = messageFromRow(id, row)
      if (row.outcome === 'attached')
        announce(
          principal,
          id,
          row.at,
          body.segmentId === undefined ? 'messages' : 'segments',
          message.version === row.at ? [message] : [],
        )
      return { messageId: message.id, version: row.at, cursor: encodeCursor(id, row.at), message }
    },
  }
}
