/**
 * The queue of the group commit. Turns that come while a batch is in flight form the next one. It has no
 * clock, no database and no promise: the committer gives it turns, outcomes and the time. A conversation
 * is in at most one batch at a time, and its turns go in the order in which they came.
 */
import { BatchSize } from './batch-size.ts'
import { ConversationLine, type QueuedTurn } from './conversation-line.ts'
import type { Unfinished } from './pending-turn.ts'

/** Bounds of the queue and of a batch. */
export type WriteBounds = {
  /** Batches in flight. */
  readonly lanes: number
  readonly batchTurnsMax: number
  readonly batchBytesMax: number
  /** More turns or bytes than these are refused with `overloaded`. */
  readonly waitingTurnsMax: number
  readonly waitingBytesMax: number
}

export type QueueOptions = {
  readonly bounds: WriteBounds
  /** How long a turn may wait for its batch, in milliseconds. */
  readonly waitMs: number
  /** Whether the service goes on while the database works. */
  readonly overlaps: boolean
}

/** Batch is the turns of one call. */
export type Batch<T extends QueuedTurn> = {
  readonly turns: readonly T[]
  /** Whether the call waits for its one conversation, which another writer holds. */
  readonly wait: boolean
  /** Kept by the queue: the conversations that the batch takes part in, and whether its lane is free again. */
  readonly lines: readonly ConversationLine<T>[]
  isAnswered: boolean
}

/** Refusal is a turn that waited too long, and the code to refuse it with. */
export type Refusal<T> = { readonly turn: T; readonly code: 'conversation-busy' | 'overloaded' }

/** Calls in flight that wait for a conversation which another writer holds: each takes a connection. */
export const waitingLanes = 2
/** How long a batch that is not full waits for one in flight, in milliseconds: longer than most take. */
export const gatherMs = 25
/** How often the whole queue is searched for turns that have waited too long, in milliseconds. */
const sweepMs = 250

const none: readonly never[] = []

export class TurnQueue<T extends QueuedTurn> {
  readonly #bounds: WriteBounds
  readonly #waitMs: number
  readonly #size: BatchSize
  readonly #lines = new Map<string, ConversationLine<T>>()
  /** Lines that may go into the next batch, the one that waited longest first. */
  readonly #ready = new Set<ConversationLine<T>>()
  /** Lines whose conversations another writer holds. */
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

  /** Whether every turn is decided: none waits, is in flight or is unsettled. */
  get isEmpty(): boolean {
    return this.#lines.size === 0
  }

  /** After `next` answered no batch: whether turns wait for a batch in flight that they could go beside. */
  get isGathering(): boolean {
    return this.#batches < this.#bounds.lanes && this.#ready.size > 0
  }

  /** Whether conversations that another writer holds wait for a lane. */
  get hasLocked(): boolean {
    return this.#locked.size > 0
  }

  /** Turns of the last batch. */
  get lastTurns(): number {
    return this.#size.last
  }

  /** Queues a turn. False where the bounds of what may wait are reached: then it is not queued. */
  add(turn: T): boolean {
    const { bytes, row } = turn.turn
    if (this.#waitingBytes + bytes > this.#bounds.waitingBytesMax) return false
    if (this.#waitingTurns >= this.#bounds.waitingTurnsMax) return false
    let line = this.#lines.get(row.c)
    if (line === undefined) {
      line = new ConversationLine(row.c)
      this.#lines.set(row.c, line)
    }
    line.push(turn)
    this.#waitingTurns += 1
    this.#waitingBytes += bytes
    if (!line.isBusy && !this.#locked.has(line)) this.#ready.add(line)
    return true
  }

  /** Takes the batch that goes now, if there is one. To be asked until it answers none. */
  next(now: number): Batch<T> | undefined {
    const hasLane = this.#batches < this.#bounds.lanes
    if (hasLane && this.#ready.size > 0 && this.#isWorthIt(now)) return this.#takeReady()
    if (this.#waitingBatches >= waitingLanes) return undefined
    const [line] = this.#locked
    return line === undefined ? undefined : this.#takeLocked(line)
  }

  /** Frees the lane of a batch that the database has answered. False where that was done before. */
  answered(batch: Batch<T>): boolean {
    if (batch.isAnswered) return false
    batch.isAnswered = true
    this.#size.back(batch.turns.length)
    if (batch.wait) this.#waitingBatches -= 1
    else this.#batches -= 1
    return true
  }

  /**
   * Ends a batch. Its locked turns go to the front again, and their conversations wait for a lane of their
   * own; conversations with unsettled turns stay out of batches until `settled`.
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
      if (unsettledIn.has(line.conversationId)) line.behind = again
      else this.#release(line, again, now)
    }
  }

  /** Lets a conversation go on whose unsettled turns are settled. */
  settled(conversationId: string, now: number): void {
    const line = this.#lines.get(conversationId)
    if (line !== undefined) this.#release(line, line.behind, now)
  }

  /** Lets locked conversations into the next batch: one held for a moment must not wait for one held for long. */
  lookAgain(): void {
    for (const line of this.#locked) this.#ready.add(line)
    this.#locked.clear()
  }

  /** Drops turns that have waited too long; looks for them at most every `sweepMs`. */
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

  /** Takes the turns that were dropped since the last call. */
  takeRefused(): readonly Refusal<T>[] {
    return this.#refused.length === 0 ? none : this.#refused.splice(0)
  }

  /** While a batch is in flight, the next one waits until it is back, or large enough, or for a moment. */
  #isWorthIt(now: number): boolean {
    if (this.#batches === 0 || this.#waitingTurns >= this.#size.of(this.#waitingTurns)) return true
    const [oldest] = this.#ready
    return now - (oldest?.first?.since ?? 0) >= gatherMs
  }

  /** A fair share of every conversation that is ready, as far as the bounds go. */
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

  #takeLocked(line: ConversationLine<T>): Batch<T> {
    this.#locked.delete(line)
    const turns: T[] = []
    this.#take(line, turns, this.#bounds.batchTurnsMax, this.#bounds.batchBytesMax)
    this.#waitingBatches += 1
    this.#size.sent(turns.length)
    return { turns, wait: true, lines: [line], isAnswered: false }
  }

  /** Moves what may go together from the front of a line to `turns`. Answers how many bytes that is. */
  #take(line: ConversationLine<T>, turns: T[], turnsMax: number, bytesMax: number): number {
    const before = turns.length
    const bytes = line.moveTo(turns, turnsMax, bytesMax)
    line.isBusy = true
    this.#ready.delete(line)
    this.#waitingTurns -= turns.length - before
    this.#waitingBytes -= bytes
    return bytes
  }

  /** Lets a line go on; `locked` turns go to its front. */
  #release(line: ConversationLine<T>, locked: readonly T[], now: number): void {
    const isLocked = locked.length > 0
    line.isBusy = false
    line.behind = none
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

const conversationOf = ({ turn }: QueuedTurn): string => turn.row.c
