/**
 * BatchSize decides how many turns go into a batch. Few large batches cost less than many small
 * ones, but with one batch in flight the service and the database wait for each other. So the turns
 * of few concurrent callers go in one batch at a time, and the next batch is gathered meanwhile.
 * The turns of many callers go in two batches: the service answers one half while the database
 * records the other.
 */

/** Fewest turns of a half batch. With fewer, a second batch costs more than its overlap saves. */
const halfMin = 32

/** Per-batch decay of the remembered number of concurrent callers. */
const decay = 0.02

export class BatchSize {
  readonly #turnsMax: number
  readonly #overlaps: boolean
  #inFlight = 0
  /** Turns that wait or are in flight at a time: the recent maximum, which decays. */
  #concurrentTurns = 0
  #last = 1

  /**
   * `turnsMax` bounds every batch. `overlaps` says whether the service can work while the database
   * does; it cannot on PGlite, which runs in the same thread.
   */
  constructor(turnsMax: number, overlaps = true) {
    this.#turnsMax = turnsMax
    this.#overlaps = overlaps
  }

  /** Turns of the last batch; 1 before the first. */
  get last(): number {
    return this.#last
  }

  /**
   * The maximum of turns in the next batch. `waiting` is the number of turns that wait and are not
   * in flight. While a batch is in flight, another one is worth sending once this number of turns
   * waits.
   */
  of(waiting: number): number {
    this.#concurrentTurns = Math.max(this.#concurrentTurns, this.#inFlight + waiting)
    const half = Math.ceil(this.#concurrentTurns / 2)
    return half < halfMin || !this.#overlaps ? this.#turnsMax : Math.min(half, this.#turnsMax)
  }

  /** Counts a batch that is sent now. */
  sent(turns: number): void {
    this.#last = turns
    this.#inFlight += turns
    this.#concurrentTurns -= (this.#concurrentTurns - this.#inFlight) * decay
  }

  /** Counts a batch that was answered. The caller calls it once for each batch. */
  back(turns: number): void {
    this.#inFlight -= turns
  }
}
