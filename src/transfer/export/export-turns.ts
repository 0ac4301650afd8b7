/** Messages in order -> the lines of their turns; a page may end in the middle of a turn. */
import type { Message } from '../../conversation/wire/schemas.ts'

export type Placed =
  | { readonly kind: 'turn'; readonly messages: readonly Message[] }
  /** `seat`: the `seq` of its turn's human message, whose id is `humanId`. */
  | {
      readonly kind: 'half'
      readonly seat: number
      readonly humanId: string
      readonly message: Message
    }
  /** A seat without words. */
  | { readonly kind: 'seat'; readonly seq: number }

export class ExportTurns {
  #lastSeq = 0
  /** A human message whose answer may be the next message. */
  #human: Message | undefined
  /** The `seq` of human messages that stand alone, by id, for their answers. */
  readonly #unanswered = new Map<string, number>()
  /** Seats that were placed without words. */
  readonly #seats = new Set<number>()

  /** The `seq` of the last message or seat that was placed. */
  get lastSeq(): number {
    return this.#lastSeq
  }

  *add(messages: readonly Message[]): Generator<Placed> {
    for (const message of messages) {
      yield* this.#emptySeats(message.seq)
      this.#lastSeq = message.seq
      yield* this.#placed(message)
    }
  }

  /** After the last message of the pages: the human message that had no answer behind it. */
  *flush(): Generator<Placed> {
    if (this.#human !== undefined) yield this.#alone(this.#human)
    this.#human = undefined
  }

  /** Words that came for a seat after it was placed; undefined where it was placed with its words. */
  filled(message: Message): Placed | undefined {
    return this.#seats.delete(message.seq) ? this.#alone(message) : undefined
  }

  /** The seats between the last message and the one at `seq`. */
  *#emptySeats(nextSeq: number): Generator<Placed> {
    if (nextSeq > this.#lastSeq + 1) yield* this.flush()
    for (let seq = this.#lastSeq + 1; seq < nextSeq; seq += 1) {
      this.#seats.add(seq)
      yield { kind: 'seat', seq }
    }
  }

  *#placed(message: Message): Generator<Placed> {
    if (message.role === 'ai' && this.#human?.turnId === message.turnId) {
      const messages = [this.#human, message]
      this.#human = undefined
      yield { kind: 'turn', messages }
      return
    }
    yield* this.flush()
    if (message.role === 'human') {
      this.#human = message
      return
    }
    const seat = this.#unanswered.get(message.turnId)
    this.#unanswered.delete(message.turnId)
    // An answer whose question never had words is a turn of its own.
    if (seat === undefined) yield { kind: 'turn', messages: [message] }
    else yield { kind: 'half', seat, humanId: message.turnId, message }
  }

  #alone(message: Message): Placed {
    this.#unanswered.set(message.id, message.seq)
    return { kind: 'half', seat: message.seq, humanId: message.id, message }
  }
}
