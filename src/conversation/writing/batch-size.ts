/**
 * How many turns go into a batch. Few large batches cost less than many small ones; but while one is in
 * flight, the service and the database wait for each other. So a small crowd goes in one batch at a time
 * and, while that is away, the next is gathered; of a large one, half is answered while half is recorded.
 */

/** Fewer than these in a batch, and what each batch costs is more than is won by a second one. */
const halfMin = 32

/** Per-batch decay of the remembered number of concurrent callers. */
const decay = 0.02

export class BatchSize {
  readonly #turnsMax: number
  readonly #overlaps: boolean
  #inFlight = 0
  /** Callers at a time, lately. */
  #crowd = 0
  #last = 1

  /** `overlaps`: whether the service goes on while the database works. */
  constructor(turnsMax: number, overlaps = true) {
    this.#turnsMax = turnsMax
    this.#overlaps = overlaps
  }

  /** Turns of the last batch; 1 before the first. */
  get last(): number {
    return this.#last
  }

  /**
   * The most turns of the next batch, where `waiting` turns wait beside those in flight. As many are worth a
   * batch of their own while another is in flight.
   */
  of(waiting: number): number {
    this.#crowd = Math.max(this.#crowd, this.#inFlight + waiting)
    const half = Math.ceil(this.#crowd / 2)
    return half < halfMin || !this.#overlaps ? this.#turnsMax : Math.min(half, this.#turnsMax)
  }

  /** Counts a batch that goes now. */
  sent(turns: number): void {
    this.#last = turns
    this.#inFlight += turns
    this.#crowd -= (this.#crowd - this.#inFlight) * decay
  }

  /** Counts a batch that is back; to be called once for each. */
  back(turns: number): void {
    this.#inFlight -= turns
  }
}
