/** The turns of one conversation in the queue of the group commit. */
import type { TurnRow } from './turn.ts'

/** What the queue reads of a turn. */
export type QueuedTurn = {
  readonly turn: {
    readonly bytes: number
    readonly row: Pick<TurnRow, 'conversationId' | 'key' | 'callerIds'>
  }
  /** When it was submitted, in milliseconds of the clock of `now`. */
  readonly since: number
}

const none: readonly never[] = []

/** ConversationLine holds the turns of one conversation that are not sent, in the order in which they came. */
export class ConversationLine<T extends QueuedTurn> {
  readonly conversationId: string
  /** Whether turns of it are in flight or unsettled. */
  isBusy = false
  /** Locked turns that go again once the unsettled turns before them are settled. */
  behind: readonly T[] = none
  #waiting: T[] = []

  constructor(conversationId: string) {
    this.conversationId = conversationId
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0
  }

  /** The turn that goes first. */
  get first(): T | undefined {
    return this.#waiting[0]
  }

  push(turn: T): void {
    this.#waiting.push(turn)
  }

  /** Puts turns that were taken before all others, in their order. */
  putBack(turns: readonly T[]): void {
    this.#waiting = [...turns, ...this.#waiting]
  }

  /** Moves what may go together from the front to `turns`; at least one. Answers how many bytes that is. */
  moveTo(turns: T[], turnsMax: number, bytesMax: number): number {
    // Twins of a key or an id are settled by the database, one batch after the other.
    const names = this.#waiting.length > 1 ? new Set<string>() : undefined
    let count = 0
    let bytes = 0
    for (const one of this.#waiting) {
      const fits = count < turnsMax && bytes + one.turn.bytes <= bytesMax
      if (count > 0 && !fits) break
      if (names !== undefined && !addNames(names, one)) break
      count += 1
      bytes += one.turn.bytes
      turns.push(one)
    }
    this.#waiting = this.#waiting.slice(count)
    return bytes
  }

  /** Removes and answers the turns that were submitted at `since` or before. */
  takeOverdue(since: number): readonly T[] {
    const { first } = this
    if (first === undefined || first.since > since) return none
    const kept = this.#waiting.findIndex((one) => one.since > since)
    return this.#waiting.splice(0, kept < 0 ? this.#waiting.length : kept)
  }
}

/** Adds the key and the ids that a turn's caller gave. False where one of them is there: then none is added. */
function addNames(names: Set<string>, { turn: { row } }: QueuedTurn): boolean {
  const own = row.callerIds ?? none
  const key = row.key === null ? undefined : `key ${row.key}`
  if (own.some((id) => names.has(id)) || (key !== undefined && names.has(key))) return false
  for (const id of own) names.add(id)
  if (key !== undefined) names.add(key)
  return true
}
