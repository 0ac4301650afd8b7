/** Questions that come close together are asked together. */

/** Rounds of the event loop that are waited for at most. */
const roundsMax = 10

/**
 * Calls `then` once a round of the event loop has brought nobody new: one who comes alone waits for a
 * single round, and a crowd, whose requests are read a few at a time, becomes one question.
 */
export function whenGathered(count: () => number, then: () => void): void {
  let before = count()
  let rounds = 1
  const look = () => {
    const now = count()
    if (now <= before || rounds >= roundsMax) return then()
    before = now
    rounds += 1
    setImmediate(look)
  }
  setImmediate(look)
}
