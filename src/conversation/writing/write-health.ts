/**
 * WriteHealth knows whether the database accepts writes. Three writes in a row that fail because of
 * the database start a probe. Only the probe decides, and it writes a turn of its own. So neither a
 * busy conversation nor a damaged one makes a node unready.
 */
import type { Events } from '../../events.ts'
import type { Database } from '../../ports/database.ts'
import { type DatabaseCode, databaseCodeOf } from '../sql/database-problems.ts'
import type { Effect } from './effects.ts'
import { type DatabaseState, databaseState, writeRefusal } from './probe.ts'

/** The part of WriteHealth to which writes report their failures. */
export type FailedWrites = Pick<WriteHealth, 'failed'>

export type WriteHealthOptions = {
  readonly database: Database
  readonly events: Pick<Events, 'writesLost' | 'writesBack' | 'workFailed'>
  /**
   * Milliseconds between two probes; each pause is up to a quarter shorter or longer.
   * @default 2000
   */
  readonly everyMs?: number
}

/** Consecutive failures that start the probe. */
const failuresMin = 3
/** Consecutive probes that must succeed after a failed one before writes count as working. */
const successesMin = 2

export class WriteHealth implements Disposable {
  readonly #database: Database
  readonly #events: WriteHealthOptions['events']
  readonly #everyMs: number
  #failures = 0
  #refusal: DatabaseCode | undefined
  #successes = 0
  #isStopped = false
  #isProbing = false
  #timer: ReturnType<typeof setTimeout> | undefined
  #nextAt = 0

  /** Each commit resets the count of consecutive failures. */
  readonly effect: Effect = {
    name: 'write-health',
    committed: () => {
      this.#failures = 0
    },
  }

  constructor({ database, events, everyMs = 2000 }: WriteHealthOptions) {
    this.#database = database
    this.#events = events
    this.#everyMs = everyMs
  }

  /**
   * Records that `writes` writes failed with `thrown`. Lock waits and faults of the service do not
   * count.
   */
  failed(thrown: unknown, writes: number): void {
    if (databaseCodeOf(thrown) === undefined) return
    this.#failures += writes
    if (this.#failures >= failuresMin) this.#schedule()
  }

  /**
   * The problem codes with which reads and writes fail now. It asks the database. If the database
   * reports no problem with writes, the code of the last probe counts. Never rejects.
   */
  async state(): Promise<DatabaseState> {
    const { reads, writes = this.#refusal } = await databaseState(this.#database)
    return { reads, writes }
  }

  [Symbol.dispose](): void {
    this.#isStopped = true
    clearTimeout(this.#timer)
  }

  #schedule(): void {
    if (this.#isStopped || this.#isProbing || this.#timer !== undefined) return
    const inMs = Math.max(0, this.#nextAt - performance.now())
    this.#timer = setTimeout(() => void this.#probe(), inMs)
    // The timer alone does not keep the process alive.
    if (typeof this.#timer === 'object') this.#timer.unref()
  }

  async #probe(): Promise<void> {
    this.#timer = undefined
    this.#isProbing = true
    const thrown = await writeRefusal(this.#database)
    this.#isProbing = false
    this.#nextAt = performance.now() + this.#everyMs * (0.75 + Math.random() / 2)
    this.#judge(thrown)
    if (this.#refusal !== undefined) this.#schedule()
  }

  #judge(thrown: unknown): void {
    const code = databaseCodeOf(thrown)
    if (code !== undefined) {
      this.#successes = 0
      if (code !== this.#refusal) this.#events.writesLost(code, thrown)
      this.#refusal = code
      return
    }
    // A lock wait or a fault of the service does not show whether the database accepts writes.
    if (thrown !== undefined) {
      this.#events.workFailed('write-probe', thrown)
      return
    }
    this.#failures = 0
    if (this.#refusal === undefined) return
    this.#successes += 1
    if (this.#successes < successesMin) return
    this.#refusal = undefined
    this.#successes = 0
    this.#events.writesBack()
  }
}
