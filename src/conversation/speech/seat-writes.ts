/**
 * Writes of turns whose words arrive later: a seat is opened, then one or two halves complete it.
 */
import type { Reader } from '../reading/reader.ts'
import { fieldsJson } from '../sql/new-message.ts'
import { type MessageRow, messageFromRow, messageList, messageObject } from '../sql/rows.ts'
import { canonicalId, encodeCursor, newId } from '../wire/ids.ts'
import type { Principal } from '../wire/principal.ts'
import { now, printTime, secondsAfter } from '../wire/time.ts'
import type { CompletedTurn, OpenedTurn, OpenTurn, TurnHalves } from '../wire/voice-schemas.ts'
import {
  assistantFields,
  humanFields,
  humanType,
  printedTime,
  requestHash,
} from '../writing/turn.ts'
import type { Writes } from '../writing/writes.ts'

export const seatCalls = {
  open: `SELECT w.outcome, w.version AS "at", w.head, ${messageList('(w.message)')} FROM turnlog_open_v1(
    $1, $2::uuid, $3, $4::uuid, $5::text::timestamptz, $6::text::timestamptz, $7::integer, $8::integer) w`,
  complete: `SELECT w.outcome, w.version AS "at", w.head, w.began, w.segment,
    ${messageObject('(w.human)')} AS human, ${messageObject('(w.answer)')} AS answer
    FROM turnlog_complete_v1($1::text::jsonb, $2::integer) w`,
}

export type SeatWrites = {
  /**
   * Opens a turn: its human message gets a seat, the next `seq`, before its words arrive. The same
   * key again returns that seat (`replayed: true`). Fails with `idempotency-conflict` or
   * `seats-too-many`.
   */
  openTurn(principal: Principal, id: string, body: OpenTurn, key: string): Promise<OpenedTurn>
  /**
   * Adds one half of an opened turn, or both. Returns null if `halves` has no human message and no
   * answer with text: nothing is written. Fails with `turn-not-open`, `idempotency-conflict`,
   * `segment-not-found` or `id-taken`.
   */
  completeTurn(
    principal: Principal,
    id: string,
    halves: TurnHalves,
    key: string,
  ): Promise<CompletedTurn | null>
}

export type SeatBounds = {
  /** How long a seat waits for its words before it expires, in seconds. */
  readonly seatSeconds: number
  /** Maximum of pending seats in one conversation. */
  readonly seatsMax: number
}

export type OpenedRow = MessageRow & { outcome: string; at: number; head: number }

export type CompletedRow = {
  outcome: string
  at: number
  head: number
  began: boolean
  segment: boolean
  human: MessageRow
  answer: { [Name in keyof MessageRow]: MessageRow[Name] | null }
}

export function createSeatWrites(
  { write, announce, lockTimeoutMs }: Writes,
  reader: Reader,
  { seatSeconds, seatsMax }: SeatBounds,
): SeatWrites {
  return {
    async openTurn(principal, id, { at }, key) {
      const received = now()
      const row = await write<OpenedRow>(
        seatCalls.open,
        [
          principal.tenant,
          id,
          key,
          newId(),
          printedTime(at) ?? printTime(received),
          printTime(secondsAfter(received, seatSeconds)),
          seatsMax,
          lockTimeoutMs,
        ],
        ['opened', 'existing'],
        { isRepeatable: true },
      )
      const message = messageFromRow(id, row)
      const opened = row.outcome === 'opened'
      if (opened) announce(principal, id, row.at, 'messages', [message])
      return {
        humanMessageId: message.id,
        seq: message.seq,
        version: row.at,
        cursor: encodeCursor(id, row.head),
        message,
        replayed: !opened,
      }
    },

    async completeTurn(principal, id, sent, key) {
      const halves = withoutEmptyAnswer(sent)
      if (halves.user === undefined && halves.assistant === undefined) {
        await reader.head(principal, id)
        return null
      }
      const row = await write<CompletedRow>(
        seatCalls.complete,
        [jsonOf({ tenant: principal.tenant, conversation_id: id, key }, halves), lockTimeoutMs],
        ['completed', 'replayed'],
        { isRepeatable: true },
      )
      const human = messageFromRow(id, row.human)
      const answer = isPresent(row.answer) ? messageFromRow(id, row.answer) : undefined
      const messages = answer === undefined ? [human] : [human, answer]
      const completed = row.outcome === 'completed'
      if (completed)
        announce(
          principal,
          id,
          row.at,
          row.began || row.segment ? 'more' : 'messages',
          messages.filter(({ version }) => version === row.at),
        )
      return {
        humanMessageId: human.id,
        assistantMessageId: answer?.id ?? null,
        version: row.at,
        cursor: encodeCursor(id, row.head),
        messages,
        replayed: !completed,
      }
    },
  }
}

/** The halves without an answer that has no parts, and without the segment of such an answer. */
function withoutEmptyAnswer({ user, assistant, segment }: TurnHalves): TurnHalves {
  const human = user === undefined ? {} : { user }
  if (assistant === undefined || assistant.responses.length === 0) return human
  return { ...human, assistant, ...(segment === undefined ? {} : { segment }) }
}

/** The turn as the complete call reads it. A half that was not sent has no hash. */
function jsonOf(turn: object, { user, assistant, segment }: TurnHalves): string {
  const row = {
    ...turn,
    received: printTime(now()),
    ...(user && {
      human_hash: requestHash({ user }),
      human_text: user.text,
      human_message_type: humanType(user),
      human_created_at: printedTime(user.at),
    }),
    ...(assistant && {
      assistant_hash: requestHash({ assistant, ...(segment === undefined ? {} : { segment }) }),
      assistant_id: canonicalId(assistant.id ?? newId()),
      assistant_parts: assistant.responses,
      assistant_created_at: printedTime(assistant.at),
      segment: segment === undefined ? null : canonicalId(segment.id),
      agent_response: segment?.agentResponse ?? null,
    }),
  }
  const human = user === undefined ? '' : fieldsJson('human', humanFields(user))
  const answer = assistant === undefined ? '' : fieldsJson('assistant', assistantFields(assistant))
  return `${JSON.stringify(row).slice(0, -1)}${human}${answer}}`
}

const isPresent = (row: { id: string | null }): row is MessageRow => row.id !== null
