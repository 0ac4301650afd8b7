/**
 * How many turns go into a batch. Few large batches cost less than many small ones; but while one is in
 * flight, the service and the database wait for each other. So a small crowd goes in one batch at a time
 * and, while that is away, the next is gathered; of a large one, half is answered while half is recorded.
 */

/** Fewer than these in a batch, and what each batch costs is more than is won by a second one. */
const halfMin = 32

/** What a crowd that has left counts for less with each batch. */
const decay = 0.02

export type BatchSize = {
  /** Beside those in flight. Worth a batch of its own while another is in flight, and the most of one. */
  of(waiting: number): number
  /** So many go now; the answer is to be called once they are back, and calls `back` the first time. */
  sent(turns: number, back: () => void): () => void
  /** Of the last batch. */
  readonly last: number
}

/** `overlaps`: whether the service goes on while the database works. */
export function createBatchSize(turnsMax: number, overlaps = true): BatchSize {
  let inFlight = 0
  /** Callers at a time, lately. */
  let crowd = 0
  let last = 1
  return {
    of(waiting) {
      crowd = Math.max(crowd, inFlight + waiting)
      const half = Math.ceil(crowd / 2)
      return half < halfMin || !overlaps ? turnsMax : Math.min(half, turnsMax)
    },
    sent(turns, back) {
      last = turns
      inFlight += turns
      crowd -= (crowd - inFlight) * decay
      let isBack = false
      return () => {
        if (isBack) return
        isBack = true
        inFlight -= turns
        back()
      }
    },
    get last() {
      return last
    },
  }
}
