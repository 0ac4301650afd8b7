/**
 * The queue of the group commit. Turns that arrive while a batch is in flight form the next batch.
 * The queue has no clock, no database and no promise: the committer passes it turns, outcomes and
 * the time. A conversation is in at most one batch at a time, and its turns are sent in the order
 * in which they arrived.
 */
import { BatchSize } from './batch-size.ts'
import { ConversationLine, type QueuedTurn } from './conversation-line.ts'
import type { Unfinished } from './pending-turn.ts'

/** Bounds of the queue and of a batch. */
export type WriteBounds = {
  /** Maximum of ordinary batches in flight. */
  readonly lanes: number
  readonly batchTurnsMax: number
  readonly batchBytesMax: number
  /** Bounds of all waiting turns. A turn past one of them is refused with `overloaded`. */
  readonly waitingTurnsMax: number
  readonly waitingBytesMax: number
}

export type QueueOptions = {
  readonly bounds: WriteBounds
  /** How long a turn may wait for its batch, in milliseconds. */
  readonly waitMs: number
  /** Whether the service works while the database does. On PGlite they share one thread. */
  readonly overlaps: boolean
}

/** Batch is the turns of one record call. */
export type Batch<T extends QueuedTurn> = {
  readonly turns: readonly T[]
  /** Whether the call waits for its one conversation, whose rows another writer has locked. */
  readonly wait: boolean
  /** The conversations of the batch. Only the queue reads them. */
  readonly lines: readonly ConversationLine<T>[]
  /** Whether its lane is free again. Only the queue sets it. */
  isAnswered: boolean
}

/** Refusal is a turn that waited too long, with the problem code to refuse it with. */
export type Refusal<T> = { readonly turn: T; readonly code: 'conversation-busy' | 'overloaded' }

/** Maximum of calls in flight that wait for a locked conversation. Each occupies a connection. */
export const waitingLanes = 2
/** How long a batch waits for the one in flight, in milliseconds. Most take less than that. */
export const gatherMs = 25
/** Milliseconds between two searches of the whole queue for turns that have waited too long. */
const sweepMs = 250

const none: readonly never[] = []

/** TurnQueue forms batches from waiting turns, and refuses turns that wait too long. */
export class TurnQueue<T extends QueuedTurn> {
  readonly #bounds: WriteBounds
  readonly #waitMs: number
  readonly #size: BatchSize
  readonly #lines = new Map<string, ConversationLine<T>>()
  /** Lines that may go into the next batch. The one that has waited longest is first. */
  readonly #ready = new Set<ConversationLine<T>>()
  /** Lines whose conversations another writer has locked. */
  readonly #locked = new Set<ConversationLine<T>>()
  readonly #refused: Refusal<T>[] = []
  #waitingTurns = 0
  #waitingBytes = 0
  #batches = 0
  #waitingBatches = 0
  #sweptAt = Number.NEGATIVE_INFINITY

  constructor({ bounds, waitMs, overlaps }: QueueOptions) {
    this.#bounds = bounds
    this.#waitMs = waitMs
    this.#size = new BatchSize(bounds.batchTurnsMax, overlaps)
  }

  /** Whether no turn waits, is in flight or is unsettled. */
  get isEmpty(): boolean {
    return this.#lines.size === 0
  }

  /**
   * Whether ready turns wait, although a lane is free, to share a batch with later ones. Read it
   * after `next` returned undefined.
   */
  get isGathering(): boolean {
    return this.#batches < this.#bounds.lanes && this.#ready.size > 0
  }

  /** Whether locked conversations wait for a call of their own. */
  get hasLocked(): boolean {
    return this.#locked.size > 0
  }

  /** Number of turns in the last batch. */
  get lastTurns(): number {
    return this.#size.last
  }

  /** Queues a turn. Returns false and queues nothing if a bound of the waiting turns is reached. */
  add(turn: T): boolean {
    const { bytes, row } = turn.turn
    if (this.#waitingBytes + bytes > this.#bounds.waitingBytesMax) return false
    if (this.#waitingTurns >= this.#bounds.waitingTurnsMax) return false
    let line = this.#lines.get(row.conversationId)
    if (line === undefined) {
      line = new ConversationLine(row.conversationId)
      this.#lines.set(row.conversationId, line)
    }
    line.push(turn)
    this.#waitingTurns += 1
    this.#waitingBytes += bytes
    if (!line.isBusy && !this.#locked.has(line)) this.#ready.add(line)
    return true
  }

  /** Removes and returns a batch that is due now. Call it until it returns undefined. */
  next(now: number): Batch<T> | undefined {
    const hasLane = this.#batches < this.#bounds.lanes
    if (hasLane && this.#ready.size > 0 && this.#isWorthIt(now)) return this.#takeReady()
    if (this.#waitingBatches >= waitingLanes) return undefined
    const [line] = this.#locked
    return line === undefined ? undefined : this.#takeLocked(line)
  }

  /** Frees the lane of an answered batch. Returns false if it was free already. */
  answered(batch: Batch<T>): boolean {
    if (batch.isAnswered) return false
    batch.isAnswered = true
    this.#size.back(batch.turns.length)
    if (batch.wait) this.#waitingBatches -= 1
    else this.#batches -= 1
    return true
  }

  /**
   * Ends a batch. Its locked turns return to the front, and their conversations wait for a call of
   * their own. Conversations with unsettled turns stay out of batches until `settled`.
   */
  finished(batch: Batch<T>, { locked, unsettled }: Unfinished<T>, now: number): void {
    this.answered(batch)
    if (locked.length === 0 && unsettled.length === 0) {
      for (const line of batch.lines) this.#release(line, none, now)
      return
    }
    const lockedBy = Map.groupBy(locked, conversationOf)
    const unsettledIn = new Set(unsettled.map(conversationOf))
    for (const line of batch.lines) {
      const again = lockedBy.get(line.conversationId) ?? none
      if (unsettledIn.has(line.conversationId)) line.lockedTurns = again
      else this.#release(line, again, now)
    }
  }

  /** Releases a conversation whose unsettled turns are settled now. */
  settled(conversationId: string, now: number): void {
    const line = this.#lines.get(conversationId)
    if (line !== undefined) this.#release(line, line.lockedTurns, now)
  }

  /** Makes locked conversations ready, so that none waits behind one that is locked for long. */
  lookAgain(): void {
    for (const line of this.#locked) this.#ready.add(line)
    this.#locked.clear()
  }

  /** Drops turns that have waited too long. It searches at most once in `sweepMs`. */
  sweep(now: number): void {
    if (now - this.#sweptAt < sweepMs) return
    this.#sweptAt = now
    for (const line of this.#ready) {
      this.#dropOverdue(line, 'overloaded', now)
      if (!line.isEmpty) continue
      this.#ready.delete(line)
      this.#lines.delete(line.conversationId)
    }
  }

  /** Removes and returns the turns that were dropped since the last call. */
  takeRefused(): readonly Refusal<T>[] {
    return this.#refused.length === 0 ? none : this.#refused.splice(0)
  }

  /**
   * Whether the next batch is sent now. While a batch is in flight, the next one waits until that
   * one is answered, or enough turns wait, or the oldest has waited for `gatherMs`.
   */
  #isWorthIt(now: number): boolean {
    if (this.#batches === 0 || this.#waitingTurns >= this.#size.of(this.#waitingTurns)) return true
    const [oldest] = this.#ready
    return now - (oldest?.first?.since ?? 0) >= gatherMs
  }

  /** Forms a batch of equal shares of the ready conversations, within the bounds of a batch. */
  #takeReady(): Batch<T> {
    const turnsMax = this.#size.of(this.#waitingTurns)
    const share = Math.max(1, Math.floor(turnsMax / this.#ready.size))
    const { batchBytesMax } = this.#bounds
    const turns: T[] = []
    const lines: ConversationLine<T>[] = []
    let bytes = 0
    for (const line of this.#ready) {
      const isTooLarge = bytes + (line.first?.turn.bytes ?? 0) > batchBytesMax
      if (turns.length >= turnsMax || (turns.length > 0 && isTooLarge)) break
      bytes += this.#take(line, turns, share, batchBytesMax - bytes)
      lines.push(line)
    }
    this.#batches += 1
    this.#size.sent(turns.length)
    return { turns, wait: false, lines, isAnswered: false }
  }

  /** Forms the batch of one locked conversation. Its call waits for the lock. */
  #takeLocked(line: ConversationLine<T>): Batch<T> {
    this.#locked.delete(line)
    const turns: T[] = []
    this.#take(line, turns, this.#bounds.batchTurnsMax, this.#bounds.batchBytesMax)
    this.#waitingBatches += 1
    this.#size.sent(turns.length)
    return { turns, wait: true, lines: [line], isAnswered: false }
  }

  /** Moves turns that may share a batch from a line to `turns`. Returns their bytes. */
  #take(line: ConversationLine<T>, turns: T[], turnsMax: number, bytesMax: number): number {
    const before = turns.length
    const bytes = line.moveTo(turns, turnsMax, bytesMax)
    line.isBusy = true
    this.#ready.delete(line)
    this.#waitingTurns -= turns.length - before
    this.#waitingBytes -= bytes
    return bytes
  }

  /** Makes a line available again. `locked` turns return to its front. */
  #release(line: ConversationLine<T>, locked: readonly T[], now: number): void {
    const isLocked = locked.length > 0
    line.isBusy = false
    line.lockedTurns = none
    if (isLocked) {
      line.putBack(locked)
      this.#waitingTurns += locked.length
      for (const { turn } of locked) this.#waitingBytes += turn.bytes
    }
    this.#dropOverdue(line, isLocked ? 'conversation-busy' : 'overloaded', now)
    if (line.isEmpty) this.#lines.delete(line.conversationId)
    else (isLocked ? this.#locked : this.#ready).add(line)
  }

  #dropOverdue(line: ConversationLine<T>, code: Refusal<T>['code'], now: number): void {
    for (const turn of line.takeOverdue(now - this.#waitMs)) {
      this.#waitingTurns -= 1
      this.#waitingBytes -= turn.turn.bytes
      this.#refused.push({ turn, code })
    }
  }
}

const conversationOf = ({ turn }: QueuedTurn): string => turn.row.conversationId
