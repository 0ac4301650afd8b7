/**
 * Deadlines for answers from outside, measured in time that this process could use. A stalled event
 * loop reads no sockets: an answer that waits in one is not late, and whoever sent it is not away.
 *
 * While a deadline runs, a timer samples the loop. What the timer is late by, the loop was stalled, and
 * the clock of `usableNow` stands still for it.
 */

/**
 * Milliseconds between samples, while a short deadline runs and else. A turn of the loop counts for
 * little more than one of them, however long it takes.
 */
const sampleMs = { fine: 1, coarse: 50 }
/** A deadline below this is short, in milliseconds. */
const shortMs = 500
/** Timers of an idle process are late by less. */
const toleranceMs = 0.5
/** Milliseconds by which stalls move a deadline at most. */
const extensionMaxMs = 1000
/** Milliseconds of fine samples, and so turns of the loop, for a last look at the sockets after stalls. */
const lastLookMs = 15

type Grain = keyof typeof sampleMs

/** Milliseconds over which `isStarved` looks back. */
const recentMs = 500
/** The share of recent time, 0 to 1, from which on this process counts as starved. */
const starvedShare = 0.2

const running = { fine: 0, coarse: 0 }
let stalledMs = 0
let stalledShare = 0
let sampledAt = performance.now()
let due = Number.POSITIVE_INFINITY
let sampler: ReturnType<typeof setTimeout> | undefined

/** Milliseconds by which the sample that is due is late. */
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
  // It alone keeps no process alive.
  if (typeof sampler === 'object') sampler.unref()
}

const begin = (grain: Grain) => {
  running[grain] += 1
  if (performance.now() + sampleMs[grain] < due) sample()
}

/**
 * Milliseconds of a clock that stands still while this process is stalled. Only differences mean
 * something, and only over a time in which a deadline ran.
 */
export function usableNow(): number {
  const now = performance.now()
  return now - stalledMs - lateBy(now)
}

/**
 * Whether this process had little time of late: its loop is saturated, or others have the processor.
 * Then an answer that is late tells nothing of who gave it; only silence does.
 */
export function isStarved(): boolean {
  const isKnown = due !== Number.POSITIVE_INFINITY || performance.now() - sampledAt < recentMs
  return isKnown && stalledShare > starvedShare
}

/**
 * Calls `late` once `ms` milliseconds of usable time have passed and sockets were read after that;
 * answers how to cancel it. In real time this takes at most a second more, or until a single stall
 * that is longer has ended; and then 15 turns of the loop for a last look at the sockets.
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
    // Immediates run before sockets are read: between two of them, all that has arrived is read.
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
