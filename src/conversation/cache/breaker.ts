/**
 * Breaker keeps callers from waiting for a KV that does not answer, and from reading one that takes no
 * writes: what it shows grows old. After some failures in a row, or one refusal, nothing is asked of it but
 * a probe in the background; when that is answered, what was missed meanwhile is healed, and only then is
 * the KV asked again.
 */
import { boundMs } from '../../mechanics/backoff.ts'
import { deadline, isStarved, usableNow } from '../../mechanics/loop-delay.ts'

export type Breaker = {
  /** Whether the KV may be asked. */
  readonly closed: boolean
  /** Whether the breaker is open because the KV answers and refuses writes. */
  readonly refusesWrites: boolean
  /**
   * Counts a call that was not answered, unless it was sent before the last one that counts failed:
   * `askedAt` is when it was sent, of `usableNow`.
   */
  failed(reason: unknown, askedAt?: number): void
  /** The KV refused to write, whatever was to be written: opens at once. */
  refused(reason: unknown): void
  /** A call was answered after `ms` milliseconds of usable time. */
  answered(ms: number): void
  stop(): void
}

/** Runs `work` after `ms` milliseconds, and answers how to cancel that. */
export type Later = (work: () => void, ms: number) => () => void

const failuresMax = 5
/** How much later an answer may come to a starved process, and end a row of failures all the same. */
const starvedFactor = 10
/** Milliseconds that a row of failures must last there: whoever has the processor keeps the KV from it, too. */
const starvedSilenceMs = 250
const probes = { firstMs: 100, maxMs: 2000 }

/**
 * A KV that answers the probe, and fails again this soon, is given twice the time before the next:
 * else it is in everybody's way, and in the log, every tenth of a second.
 */
const steadyMs = 1000

export function createBreaker(options: {
  /** Writes and reads; rejects while the KV is away. */
  probe(): Promise<unknown>
  /** Heals what was missed; rejects where the KV is away again. */
  heal(): Promise<unknown>
  /** Whether a failure means that the KV takes no writes. */
  isRefusal?(reason: unknown): boolean
  /** Failures nearer to each other are one: a stall of this process ends many calls at once. */
  readonly apartMs?: number
  /** A slower answer does not reset the count of consecutive failures. */
  readonly slowMs?: number
  /** The KV is asked nothing from now on; called again if it turns out to refuse writes. */
  onOpen(reason: unknown): void
  onClose(): void
  readonly later?: Later
}): Breaker {
  const { isRefusal = () => false, slowMs = Number.POSITIVE_INFINITY, later = afterMs } = options
  let failures = 0
  let isClosed = true
  let refusesWrites = false
  let silentProbes = 0
  let isStopped = false
  let failedAt = Number.NEGATIVE_INFINITY
  let silentSince = Number.NEGATIVE_INFINITY
  let answeredAt = Number.NEGATIVE_INFINITY
  let closedAt = Number.NEGATIVE_INFINITY
  /** How often in a row the KV failed again soon after it had answered a probe. */
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
      cancel = later(() => void close(), waitMs())
      return
    }
    failures = 0
    isClosed = true
    refusesWrites = false
    closedAt = performance.now()
    options.onClose()
  }
  /** After a refusal, only `failuresMax` silent probes in a row count as silence: a new connection may not be ready yet. */
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
    cancel = later(() => void close(), waitMs())
  }

  return {
    get closed() {
      return isClosed
    },
    get refusesWrites() {
      return refusesWrites
    },
    failed(reason, askedAt = Number.POSITIVE_INFINITY) {
      // A busy process is late itself: a KV that goes on answering is not silent.
      if (answeredAt > askedAt && isStarved()) return
      const now = usableNow()
      // Of many calls that wait through one pause of the KV, only the first to fail counts.
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

const afterMs: Later = (work, ms) => {
  const timer = setTimeout(work, ms)
  return () => clearTimeout(timer)
}

export class Late extends Error {
  override readonly name = 'Late'
}

/** Settles as `work` does, or rejects with `Late` when it was not there in time. */
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
