/** Records the turns of one conversation, or finds the ones that are stored already. */
import type { Rest } from '../../client/client.ts'
import type { Message, RecordedTurn } from '../../conversation/wire/schemas.ts'
import type { Step } from '../formats/steps.ts'
import { type Refusal, refusalOf } from '../service-client.ts'
import type { SpeechImport } from './speech-import.ts'
import { findStoredMessages } from './stored-turns.ts'

export type RecordStep = Step & { do: 'record' }

/** The messages of a turn as they are stored now, or the reason why the turn was refused. */
export type TurnOutcome =
  | { readonly messages: readonly Message[]; readonly replayed: boolean }
  | { readonly refusal: Refusal }

const withoutAnswer: TurnOutcome = {
  refusal: { code: 'no answer', message: 'the answer has no parts' },
}

export class TurnImport {
  readonly #rest: Rest
  readonly #conversationId: string
  readonly #speech: SpeechImport

  constructor(rest: Rest, conversationId: string, speech: SpeechImport) {
    this.#rest = rest
    this.#conversationId = conversationId
    this.#speech = speech
  }

  /**
   * Records a turn or finds it. `mayHaveSeat` is true if an earlier import may have brought the
   * turn's human half to a seat.
   */
  async recordOrFind(step: RecordStep, mayHaveSeat: boolean): Promise<TurnOutcome> {
    try {
      const completed = mayHaveSeat ? await this.#speech.completeSeat(step) : undefined
      const turn = completed === undefined ? await this.#record(step) : completed
      return turn ?? withoutAnswer
    } catch (error) {
      const refusal = refusalOf(error)
      if (refusal === undefined) throw error
      const isTaken = refusal.code === 'idempotency-conflict' || refusal.code === 'id-taken'
      const found = isTaken
        ? await findStoredMessages(this.#rest, this.#conversationId, step)
        : undefined
      return found === undefined ? { refusal } : { messages: found, replayed: true }
    }
  }

  async #record(step: RecordStep): Promise<RecordedTurn | null> {
    const { turn, key } = step
    return withSegment(turn.segment?.id, {
      write: () => this.#rest.recordTurn(this.#conversationId, turn, { key }),
      createSegment: (id) => this.#rest.createSegment(this.#conversationId, { id }),
    })
  }
}

/**
 * Runs a write. If it is refused because its segment is missing, creates the segment and repeats
 * the write. A segment that was created while an export ran can be named before its line.
 */
export async function withSegment<Result>(
  segmentId: string | null | undefined,
  steps: {
    readonly write: () => Promise<Result>
    readonly createSegment: (id: string) => Promise<unknown>
  },
): Promise<Result> {
  try {
    return await steps.write()
  } catch (error) {
    if (refusalOf(error)?.code !== 'segment-not-found') throw error
    await steps.createSegment(segmentId ?? '')
    return await steps.write()
  }
}
