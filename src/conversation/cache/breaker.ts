/**
 * Breaker keeps callers from waiting for a KV that does not answer, and from reading stale entries
 * of a KV that refuses writes. It opens after several failures in a row, or after one refusal. While
 * it is open, callers do not use the KV, and only a probe calls it. Once the probe succeeds, the
 * breaker heals the missed writes, and then closes.
 */
import { boundMs } from '../../mechanics/backoff.ts'
import { deadline, isStarved, usableNow } from '../../mechanics/loop-delay.ts'

export type Breaker = {
  /** Whether callers may use the KV. */
  readonly closed: boolean
  /** Whether the breaker is open because the KV answers and refuses writes. */
  readonly refusesWrites: boolean
  /**
   * Counts a call that failed or got no answer. `askedAt` is when it was sent, in `usableNow` time.
   * A call sent before the last counted failure does not count. @default always counts
   */
  failed(reason: unknown, askedAt?: number): void
  /** Opens at once: the KV refuses every write. */
  refused(reason: unknown): void
  /** Notes that a call was answered after `ms` milliseconds of usable time. */
  answered(ms: number): void
  stop(): void
}

/** Runs `work` after `ms` milliseconds. Returns a function that cancels it. */
export type StartTimer = (work: () => void, ms: number) => () => void

const failuresMax = 5
/** In a starved process, an answer slower by this factor still ends a row of failures. */
const starvedFactor = 10
/**
 * Milliseconds that a row of failures must last if the process is starved. The load that takes the
 * processor from this process takes it from the KV, too.
 */
const starvedSilenceMs = 250
const probes = { firstMs: 100, maxMs: 2000 }

/**
 * If the KV fails again within these milliseconds of closing, the wait before the next probe
 * doubles. Otherwise a KV that works only for its probes would delay callers, and fill the log, ten
 * times a second.
 */
const steadyMs = 1000

/** Makes a closed breaker. */
export function createBreaker(options: {
  /** Writes and reads the KV; rejects while it is away. */
  probe(): Promise<unknown>
  /** Heals the missed writes; rejects if the KV is away again. */
  heal(): Promise<unknown>
  /** Whether the failure means that the KV refuses all writes. */
  isRefusal?(reason: unknown): boolean
  /**
   * Milliseconds within which failures count as one: a stall of this process ends many calls at
   * once.
   */
  readonly apartMs?: number
  /** Milliseconds. A slower answer does not end a row of failures. @default no bound */
  readonly slowMs?: number
  /** The breaker has opened. Called again if the KV then turns out to refuse writes. */
  onOpen(reason: unknown): void
  onClose(): void
  readonly startTimer?: StartTimer
}): Breaker {
  const { isRefusal = () => false, slowMs = Number.POSITIVE_INFINITY } = options
  const startTimer = options.startTimer ?? startTimeout
  let failures = 0
  let isClosed = true
  let refusesWrites = false
  let silentProbes = 0
  let isStopped = false
  let failedAt = Number.NEGATIVE_INFINITY
  let silentSince = Number.NEGATIVE_INFINITY
  let answeredAt = Number.NEGATIVE_INFINITY
  let closedAt = Number.NEGATIVE_INFINITY
  /** How many times in a row the KV failed again soon after the breaker closed. */
  let relapses = 0
  const waitMs = () => boundMs(probes, relapses)
  let cancel = () => {}

  const close = async () => {
    try {
      await options.probe()
      await options.heal()
    } catch (thrown) {
      if (isStopped) return
      probeFailed(thrown)
      cancel = startTimer(() => void close(), waitMs())
      return
    }
    failures = 0
    isClosed = true
    refusesWrites = false
    closedAt = performance.now()
    options.onClose()
  }
  // After a refusal, the KV counts as silent only after `failuresMax` silent probes in a row: a new
  // connection may not be ready yet.
  const probeFailed = (reason: unknown) => {
    silentProbes = isRefusal(reason) ? 0 : silentProbes + 1
    if (silentProbes >= failuresMax) refusesWrites = false
    if (refusesWrites || silentProbes > 0) return
    refusesWrites = true
    options.onOpen(reason)
  }
  const open = (reason: unknown) => {
    if (!isClosed || isStopped) return
    isClosed = false
    refusesWrites = isRefusal(reason)
    const isSteady = performance.now() - closedAt > steadyMs
    relapses = isSteady ? 0 : relapses + 1
    options.onOpen(reason)
    cancel = startTimer(() => void close(), waitMs())
  }

  return {
    get closed() {
      return isClosed
    },
    get refusesWrites() {
      return refusesWrites
    },
    failed(reason, askedAt = Number.POSITIVE_INFINITY) {
      // A starved process is late itself: a KV that has answered since is not silent.
      if (answeredAt > askedAt && isStarved()) return
      const now = usableNow()
      // If many calls wait through one pause of the KV, only the first failure counts.
      if (askedAt < failedAt || now - failedAt < (options.apartMs ?? 0)) return
      failedAt = now
      if (failures === 0) silentSince = now
      failures += 1
      const silentMs = isStarved() ? starvedSilenceMs : 0
      if (failures >= failuresMax && now - silentSince >= silentMs) open(reason)
    },
    refused: open,
    answered(ms) {
      answeredAt = usableNow()
      if (ms <= slowMs * (isStarved() ? starvedFactor : 1)) failures = 0
    },
    stop() {
      isStopped = true
      cancel()
    },
  }
}

const startTimeout: StartTimer = (work, ms) => {
  const timer = setTimeout(work, ms)
  return () => clearTimeout(timer)
}

export class Late extends Error {
  override readonly name = 'Late'
}

/** Settles as `work` does, or rejects with `Late` after `ms` milliseconds of usable time. */
export function within<T>(work: Promise<T>, ms: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = deadline(ms, () => reject(new Late(`no answer within ${ms} ms`)))
    work.then(
      (value) => {
        cancel()
        resolve(value)
      },
      (thrown) => {
        cancel()
        reject(thrown)
      },
    )
  })
}
