/**
 * Deadlines for answers of other machines, measured in the time that this process could use. A
 * stalled event loop reads no sockets. An answer that waits in a socket meanwhile is not late, and
 * its sender is not away.
 *
 * While a deadline runs, a timer samples the loop. The time by which the timer fires late is a
 * stall of the loop. The clock of `usableNow` stops for the length of each stall.
 */

/**
 * Milliseconds between two samples: `fine` while a short deadline runs, otherwise `coarse`. A round
 * of the loop counts as little more than this time, however long it takes.
 */
const sampleMs = { fine: 1, coarse: 50 }
/** Milliseconds. A shorter deadline is a short one. */
const shortMs = 500
/** Milliseconds. Timers of an idle process are late by less. */
const toleranceMs = 0.5
/** The most milliseconds by which stalls move a deadline. */
const extensionMaxMs = 1000
/**
 * Milliseconds of fine samples, and so rounds of the loop, for a last look at the sockets after
 * stalls.
 */
const lastLookMs = 15

type Grain = keyof typeof sampleMs

/** Milliseconds of the past that `isStarved` judges. */
const recentMs = 500
/** The stalled share of recent time, 0 to 1, above which this process counts as starved. */
const starvedShare = 0.2

const running = { fine: 0, coarse: 0 }
let stalledMs = 0
let stalledShare = 0
let sampledAt = performance.now()
let due = Number.POSITIVE_INFINITY
let sampler: ReturnType<typeof setTimeout> | undefined

/** Milliseconds by which the next sample is late. */
const lateBy = (now: number) => Math.max(0, now - due - toleranceMs)

const sample = () => {
  const now = performance.now()
  const stallMs = lateBy(now)
  stalledMs += stallMs
  const passedMs = Math.max(now - sampledAt, sampleMs.fine)
  stalledShare += (stallMs / passedMs - stalledShare) * Math.min(1, passedMs / recentMs)
  sampledAt = now
  clearTimeout(sampler)
  const ms = running.fine > 0 ? sampleMs.fine : sampleMs.coarse
  if (running.fine + running.coarse === 0) {
    due = Number.POSITIVE_INFINITY
    return
  }
  due = now + ms
  sampler = setTimeout(sample, ms)
  // The timer alone must not keep the process alive.
  if (typeof sampler === 'object') sampler.unref()
}

const begin = (grain: Grain) => {
  running[grain] += 1
  if (performance.now() + sampleMs[grain] < due) sample()
}

/**
 * The milliseconds of a clock that stops while this process is stalled. Only the difference between
 * two readings has a meaning, and only if a deadline ran between them.
 */
export function usableNow(): number {
  const now = performance.now()
  return now - stalledMs - lateBy(now)
}

/**
 * Whether this process had little time of late: its loop is saturated, or other processes use the
 * processor. A late answer then says nothing about the server that sent it; only a missing one
 * does.
 */
export function isStarved(): boolean {
  const isKnown = due !== Number.POSITIVE_INFINITY || performance.now() - sampledAt < recentMs
  return isKnown && stalledShare > starvedShare
}

/**
 * Calls `late` once `ms` milliseconds of usable time have passed and the sockets were read after
 * that. In real time this takes at most one second more, or until the end of one stall that is
 * longer, and then up to 15 rounds of the loop for a last look at the sockets.
 * @returns A function that cancels the deadline.
 */
export function deadline(ms: number, late: () => void): () => void {
  let grain: Grain = ms < shortMs ? 'fine' : 'coarse'
  begin(grain)
  const startedAt = performance.now()
  const endsAt = startedAt + ms + extensionMaxMs
  let dueAt = usableNow() + ms
  let isLastLook = false
  let isOver = false
  let timer: ReturnType<typeof setTimeout> | undefined

  const cancel = () => {
    if (isOver) return
    isOver = true
    running[grain] -= 1
    clearTimeout(timer)
  }
  const look = () => {
    const now = performance.now()
    const leftMs = dueAt - usableNow()
    const wasStalled = now - startedAt > ms + sampleMs.coarse
    if (leftMs > 0 && now < endsAt) timer = setTimeout(look, Math.max(1, leftMs))
    else if (wasStalled && !isLastLook) lookOnceMore()
    // Immediates run before sockets are read. Between two of them, Bun reads all data that arrived.
    else setImmediate(() => setImmediate(end))
  }
  const lookOnceMore = () => {
    isLastLook = true
    running[grain] -= 1
    grain = 'fine'
    begin(grain)
    dueAt = usableNow() + Math.min(ms, lastLookMs)
    timer = setTimeout(look, Math.min(ms, lastLookMs))
  }
  const end = () => {
    if (isOver) return
    cancel()
    late()
  }
  timer = setTimeout(look, ms)
  return cancel
}
