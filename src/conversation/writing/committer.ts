/**
 * Group commit: `TurnQueue` decides which turns form the next batch, and Committer sends it. A
 * batch is one record call and one commit.
 *
 * Every promise of `submit` settles: the turn is recorded, replayed, refused with a problem code,
 * or its outcome is unknown.
 */
import { Problem } from '../../problem.ts'
import type { PendingTurn, Verdict } from './pending-turn.ts'
import { Recorder, type RecorderOptions } from './recorder.ts'
import type { PreparedTurn } from './turn.ts'
import { type Batch, gatherMs, TurnQueue, type WriteBounds } from './turn-queue.ts'

/**
 * A conversation is locked while another transaction holds its row. Its turns go into a call that waits
 * for the lock; if no such call is free, they may join an ordinary batch again after this many
 * milliseconds.
 */
const lookAgainMs = 25

export type CommitterOptions = RecorderOptions & {
  readonly bounds: WriteBounds
  /** How long a turn may wait for its batch, in milliseconds. After that it is refused. */
  readonly waitMs: number
}

/** Committer records turns in batches, one database call for each batch. */
export class Committer {
  readonly #queue: TurnQueue<PendingTurn>
  readonly #recorder: Recorder
  readonly #isShared: boolean
  readonly #drainedListeners: (() => void)[] = []
  #isScheduled = false
  #isGathering = false
  #isLooking = false

  constructor(options: CommitterOptions) {
    const { bounds, waitMs, database } = options
    this.#isShared = database.shared
    this.#queue = new TurnQueue({ bounds, waitMs, overlaps: database.shared })
    this.#recorder = new Recorder(options)
  }

  /**
   * Queues a turn. The promise resolves with the turn's verdict once it is committed or found to be
   * a replay. It rejects with a `Problem`: `overloaded` if the queue is full, `overloaded` or
   * `conversation-busy` after `waitMs` of waiting, a code of the record call (such as
   * `idempotency-conflict`), a database problem, or `outcome-unknown`.
   */
  submit(turn: PreparedTurn): Promise<Verdict> {
    const { promise, resolve, reject } = Promise.withResolvers<Verdict>()
    if (!this.#queue.add({ turn, since: performance.now(), resolve, reject }))
      return Promise.reject(new Problem('overloaded'))
    this.#schedule()
    return promise
  }

  /** Resolves when no turn waits and no batch is in flight. */
  drained(): Promise<void> {
    if (this.#queue.isEmpty) return Promise.resolve()
    return new Promise((resolve) => this.#drainedListeners.push(resolve))
  }

  /**
   * Dispatches after the current event-loop round, so that turns which arrive in one round share a
   * batch. If the last batch had at most one turn, a microtask dispatches sooner. A database in this
   * process (PGlite) always gets the full round: it blocks the thread, so no turn arrives meanwhile.
   */
  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    if (this.#queue.lastTurns > 1 || !this.#isShared) setImmediate(this.#dispatchScheduled)
    else queueMicrotask(this.#dispatchScheduled)
  }

  readonly #dispatchScheduled = (): void => {
    this.#isScheduled = false
    this.#dispatch()
  }

  /** Sends every batch that is due now, and sets the timers for later ones. */
  #dispatch(): void {
    const now = performance.now()
    this.#queue.sweep(now)
    this.#refuseOverdue()
    for (;;) {
      const batch = this.#queue.next(now)
      if (batch === undefined) break
      void this.#send(batch)
    }
    if (this.#queue.isGathering) this.#dispatchLater()
    if (this.#queue.hasLocked) this.#lookAgainLater()
    if (this.#queue.isEmpty) for (const resolve of this.#drainedListeners.splice(0)) resolve()
  }

  #dispatchLater(): void {
    if (this.#isGathering) return
    this.#isGathering = true
    setTimeout(() => {
      this.#isGathering = false
      this.#dispatch()
    }, gatherMs)
  }

  #lookAgainLater(): void {
    if (this.#isLooking) return
    this.#isLooking = true
    setTimeout(() => {
      this.#isLooking = false
      this.#queue.lookAgain()
      this.#dispatch()
    }, lookAgainMs)
  }

  async #send(batch: Batch<PendingTurn>): Promise<void> {
    const { turns, wait } = batch
    // Called when the record call answers, and again below in case it failed. Only the first counts.
    const answered = () => {
      if (this.#queue.answered(batch)) this.#dispatch()
    }
    // The turns to send again: those of locked conversations, and those with an unknown outcome.
    const unfinished = await this.#recorder.record(turns, { wait, recorded: answered })
    answered()
    this.#queue.finished(batch, unfinished, performance.now())
    this.#refuseOverdue()
    if (unfinished.unsettled.length > 0) this.#settle(unfinished.unsettled)
    this.#dispatch()
  }

  /** Settles turns whose outcome is unknown, with a look-up of its own for each conversation. */
  #settle(unsettled: readonly PendingTurn[]): void {
    for (const [id, turns] of Map.groupBy(unsettled, ({ turn }) => turn.row.conversationId))
      void this.#recorder.settle(turns).then(() => {
        this.#queue.settled(id, performance.now())
        this.#refuseOverdue()
        this.#schedule()
      })
  }

  #refuseOverdue(): void {
    for (const { turn, code } of this.#queue.takeRefused())
      turn.reject(new Problem(code, 'The write waited too long for its batch.'))
  }
}
