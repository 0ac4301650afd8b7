/** One conversation in the queue of the group commit. */
import type { TurnRow } from './turn.ts'

/** The fields of a turn that the queue reads. */
export type QueuedTurn = {
  readonly turn: {
    readonly bytes: number
    readonly row: Pick<TurnRow, 'conversationId' | 'key' | 'callerIds'>
  }
  /** Milliseconds of the monotonic clock (`performance.now`) when the turn was submitted. */
  readonly since: number
}

const none: readonly never[] = []

/**
 * ConversationLine holds the unsent turns of one conversation, in the order in which they arrived.
 */
export class ConversationLine<T extends QueuedTurn> {
  readonly conversationId: string
  /** Whether turns of this conversation are in flight or unsettled. */
  isBusy = false
  /** Locked turns. They are sent again once the unsettled turns before them are settled. */
  lockedTurns: readonly T[] = none
  #waiting: T[] = []

  constructor(conversationId: string) {
    this.conversationId = conversationId
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0
  }

  /** The turn that is sent first. */
  get first(): T | undefined {
    return this.#waiting[0]
  }

  push(turn: T): void {
    this.#waiting.push(turn)
  }

  /** Puts turns that were removed back in front of all others, in their order. */
  putBack(turns: readonly T[]): void {
    this.#waiting = [...turns, ...this.#waiting]
  }

  /**
   * Moves turns that may share a batch from the front to `turns`: at most `turnsMax` turns and
   * `bytesMax` bytes, but at least one turn of any size. Returns the bytes of the moved turns.
   */
  moveTo(turns: T[], turnsMax: number, bytesMax: number): number {
    // Two turns with the same key or id go into different batches, and the database compares them.
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

  /** Removes and returns the turns that were submitted at `since` or before. */
  takeOverdue(since: number): readonly T[] {
    const { first } = this
    if (first === undefined || first.since > since) return none
    const inTime = this.#waiting.findIndex((one) => one.since > since)
    return this.#waiting.splice(0, inTime < 0 ? this.#waiting.length : inTime)
  }
}

/**
 * Adds the key and the ids that a turn's caller gave. Adds none and returns false if one is in
 * `names` already.
 */
function addNames(names: Set<string>, { turn: { row } }: QueuedTurn): boolean {
  const ids = row.callerIds ?? none
  const key = row.key === null ? undefined : `key ${row.key}`
  if (ids.some((id) => names.has(id)) || (key !== undefined && names.has(key))) return false
  for (const id of ids) names.add(id)
  if (key !== undefined) names.add(key)
  return true
}
