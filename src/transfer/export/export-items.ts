/**
 * Groups messages in order into turns, halves and seats. A page may end in the middle of a turn.
 */
import type { Message } from '../../conversation/wire/schemas.ts'

/** An item that becomes one line of an export. */
export type ExportItem =
  | { readonly kind: 'turn'; readonly messages: readonly Message[] }
  /** `seat` is the `seq` of the turn's human message, and `humanId` its id. */
  | {
      readonly kind: 'half'
      readonly seat: number
      readonly humanId: string
      readonly message: Message
    }
  /** A seat without words. */
  | { readonly kind: 'seat'; readonly seq: number }

export class ExportItems {
  #lastSeq = 0
  /** A human message whose answer may be the next message. */
  #human: Message | undefined
  /** The `seq` of human messages that were exported without their answer, by message id. */
  readonly #unanswered = new Map<string, number>()
  /** The `seq` of seats that were exported without words. */
  readonly #seats = new Set<number>()

  /** The `seq` of the last message or seat that was exported. */
  get lastSeq(): number {
    return this.#lastSeq
  }

  /** Takes the next messages in order, and yields the items that are complete. */
  *add(messages: readonly Message[]): Generator<ExportItem> {
    for (const message of messages) {
      yield* this.#seatsBefore(message.seq)
      this.#lastSeq = message.seq
      yield* this.#itemsOf(message)
    }
  }

  /** Yields the last human message if no answer followed it. */
  *flush(): Generator<ExportItem> {
    if (this.#human !== undefined) yield this.#halfOf(this.#human)
    this.#human = undefined
  }

  /**
   * Returns the item of words that arrived after their seat was exported, undefined for any other
   * message.
   */
  fillSeat(message: Message): ExportItem | undefined {
    return this.#seats.delete(message.seq) ? this.#halfOf(message) : undefined
  }

  /** Yields the seats between the last message and the message at `nextSeq`. */
  *#seatsBefore(nextSeq: number): Generator<ExportItem> {
    if (nextSeq > this.#lastSeq + 1) yield* this.flush()
    for (let seq = this.#lastSeq + 1; seq < nextSeq; seq += 1) {
      this.#seats.add(seq)
      yield { kind: 'seat', seq }
    }
  }

  *#itemsOf(message: Message): Generator<ExportItem> {
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
    // An answer whose question never got words is a turn of its own.
    if (seat === undefined) yield { kind: 'turn', messages: [message] }
    else yield { kind: 'half', seat, humanId: message.turnId, message }
  }

  #halfOf(message: Message): ExportItem {
    this.#unanswered.set(message.id, message.seq)
    return { kind: 'half', seat: message.seq, humanId: message.id, message }
  }
}
