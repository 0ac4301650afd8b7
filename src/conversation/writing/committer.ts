/**
 * Group commit: `TurnQueue` says which turns form the next batch, and this dispatcher sends it. A batch is
 * one call of the record function and one commit.
 *
 * Every promise given out settles: recorded, replayed, refused by a code, or unknown.
 */
import { Problem } from '../../problem.ts'
import type { PendingTurn, Verdict } from './pending-turn.ts'
import { Recorder, type RecorderOptions } from './recorder.ts'
import type { PreparedTurn } from './turn.ts'
import { type Batch, gatherMs, TurnQueue, type WriteBounds } from './turn-queue.ts'

/** How often conversations that wait for a lane of their own are tried in an ordinary batch, in milliseconds. */
const lookAgainMs = 25

export type CommitterOptions = RecorderOptions & {
  readonly bounds: WriteBounds
  /** How long a turn may wait for its batch, in milliseconds. */
  readonly waitMs: number
}

export class Committer {
  readonly #queue: TurnQueue<PendingTurn>
  readonly #recorder: Recorder
  readonly #isShared: boolean
  readonly #drained: (() => void)[] = []
  #isScheduled = false
  #isGathering = false
  #isLooking = false

  constructor(options: CommitterOptions) {
    const { bounds, waitMs, database } = options
    this.#isShared = database.shared
    this.#queue = new TurnQueue({ bounds, waitMs, overlaps: database.shared })
    this.#recorder = new Recorder(options)
  }

  /** Settles when the turn is committed, or with the problem that kept it from being so. */
  submit(turn: PreparedTurn): Promise<Verdict> {
    const { promise, resolve, reject } = Promise.withResolvers<Verdict>()
    if (!this.#queue.add({ turn, since: performance.now(), resolve, reject }))
      return Promise.reject(new Problem('overloaded'))
    this.#schedule()
    return promise
  }

  /** Resolves when nothing waits and nothing is in flight. */
  drained(): Promise<void> {
    if (this.#queue.isEmpty) return Promise.resolve()
    return new Promise((resolve) => this.#drained.push(resolve))
  }

  /** Turns of one round go together. Lone turns are spared the detour, except where the database holds the thread. */
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

  /** Sends every batch that goes now, and sets the timers that look for later ones. */
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
    if (this.#queue.isEmpty) for (const resolve of this.#drained.splice(0)) resolve()
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
    const answered = () => {
      if (this.#queue.answered(batch)) this.#dispatch()
    }
    const unfinished = await this.#recorder.record(turns, { wait, recorded: answered })
    answered()
    this.#queue.finished(batch, unfinished, performance.now())
    this.#refuseOverdue()
    if (unfinished.unsettled.length > 0) this.#settle(unfinished.unsettled)
    this.#dispatch()
  }

  /** Settles turns whose outcome is unknown, each conversation by itself. */
  #settle(unsettled: readonly PendingTurn[]): void {
    for (const [id, turns] of Map.groupBy(unsettled, ({ turn }) => turn.row.c))
      void this.#recorder.settle(turns).then(() => {
        this.#queue.settled(id, performance.now())
        this.#refuseOverdue()
        this.#schedule()
      })
  }

  #refuseOverdue(): void {
    for (const { turn, code } of this.#queue.takeRefused())
      turn.reject(new Problem(code, 'The write waited too long for its place.'))
  }
}
