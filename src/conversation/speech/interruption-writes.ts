/** The write of an interruption (barge-in): how much of an AI message the listener heard. */
import { type Problem, violationProblem } from '../../problem.ts'
import { type MessageRow, messageFromRow, messageList } from '../sql/rows.ts'
import { encodeCursor } from '../wire/ids.ts'
import type { Principal } from '../wire/principal.ts'
import { now, printTime } from '../wire/time.ts'
import type { InterruptedMessage, Interruption } from '../wire/voice-schemas.ts'
import { printedTime } from '../writing/turn.ts'
import type { Writes } from '../writing/writes.ts'

export const interruptCall = `SELECT w.outcome, w.version AS "at", w.parts AS "partCount", w.characters, ${messageList('(w.message)')}
  FROM turnlog_interrupt_v1(
    $1, $2::uuid, $3::uuid, $4::text::jsonb, $5::text::timestamptz, $6::boolean, $7::integer) w`

export type InterruptedRow = MessageRow & {
  outcome: string
  at: number
  partCount: number
  characters: number
}

export type InterruptionWrites = {
  /**
   * Stores how much of an AI message the listener heard; `heard: null` takes the report back. A
   * report changes nothing if its `at` is earlier than that of the stored report, or if it says the
   * same. Fails with `message-not-found`, `message-not-ai` or `heard-out-of-range`.
   */
  interrupt(
    principal: Principal,
    id: string,
    messageId: string,
    body: Interruption,
  ): Promise<InterruptedMessage>
}

export function createInterruptionWrites({
  write,
  announce,
  lockTimeoutMs,
}: Writes): InterruptionWrites {
  return {
    async interrupt(principal, id, messageId, { heard, at }) {
      const row = await write<InterruptedRow>(
        interruptCall,
        [
          principal.tenant,
          id,
          messageId,
          heard === null ? null : JSON.stringify(heard),
          printedTime(at) ?? printTime(now()),
          at !== undefined,
          lockTimeoutMs,
        ],
        ['interrupted', 'unchanged', 'heard-out-of-range'],
        // Without `at`, the time of receipt counts, so a repeated call would be a later report.
        { isRepeatable: at !== undefined },
      )
      if (row.outcome === 'heard-out-of-range') throw outOfRange(heard, row)
      const message = messageFromRow(id, row)
      const changed = row.outcome === 'interrupted'
      if (changed) announce(principal, id, row.at, 'messages', [message])
      const { at: version } = row
      return { messageId: message.id, version, cursor: encodeCursor(id, version), message, changed }
    },
  }
}

function outOfRange(
  heard: Interruption['heard'],
  { partCount, characters }: { partCount: number; characters: number },
): Problem {
  const isParts = (heard?.parts ?? 0) > partCount
  return violationProblem([
    {
      code: 'heard-out-of-range',
      in: 'body',
      pointer: isParts ? '/heard/parts' : '/heard/characters',
      message: isParts
        ? `the message has ${partCount} parts`
        : `the message has ${characters} characters`,
    },
  ])
}
