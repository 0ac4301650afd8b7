/** Messages in order -> the lines of their turns; a page may end in the middle of one. */
import type { Message } from '../../conversation/wire/schemas.ts'

export type Placed =
  | { readonly kind: 'turn'; readonly messages: readonly Message[] }
  /** `seat`: the place of its turn's human message, which is `humanId`. */
  | {
      readonly kind: 'half'
      readonly seat: number
      readonly humanId: string
      readonly message: Message
    }
  /** There are no words for it. */
  | { readonly kind: 'seat'; readonly seq: number }

export type Turns = {
  /** The `seq` of the last message or seat that was placed. */
  lastSeq(): number
  add(messages: readonly Message[]): Generator<Placed>
  /** After the last message of the pages: what had no answer behind it. */
  flush(): Generator<Placed>
  /** Words that came for a seat after it was placed; undefined where it was placed with its words. */
  filled(message: Message): Placed | undefined
}

export function createTurns(): Turns {
  let lastSeq = 0
  let human: Message | undefined
  /** Human messages that stand alone, for their answers. */
  const unanswered = new Map<string, number>()
  /** Places that were given without words. */
  const seats = new Set<number>()

  const alone = (message: Message): Placed => {
    unanswered.set(message.id, message.seq)
    return { kind: 'half', seat: message.seq, humanId: message.id, message }
  }

  function* flush(): Generator<Placed> {
    if (human !== undefined) yield alone(human)
    human = undefined
  }

  return {
    lastSeq: () => lastSeq,
    *add(messages) {
      for (const message of messages) {
        if (message.seq > lastSeq + 1) yield* flush()
        for (let seq = lastSeq + 1; seq < message.seq; seq += 1) {
          seats.add(seq)
          yield { kind: 'seat', seq }
        }
        lastSeq = message.seq
        if (message.role === 'ai' && human?.turnId === message.turnId) {
          const messages = [human, message]
          human = undefined
          yield { kind: 'turn', messages }
          continue
        }
        yield* flush()
        if (message.role === 'human') {
          human = message
          continue
        }
        const seat = unanswered.get(message.turnId)
        unanswered.delete(message.turnId)
        // An answer whose question never had words is a turn of its own.
        if (seat === undefined) yield { kind: 'turn', messages: [message] }
        else yield { kind: 'half', seat, humanId: message.turnId, message }
      }
    },
    flush,
    filled: (message) => (seats.delete(message.seq) ? alone(message) : undefined),
  }
}
