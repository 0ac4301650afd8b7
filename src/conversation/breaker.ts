/**
 * Keeps callers from waiting for a store that does not answer. After some failures in a row nothing
 * is asked of it but a probe, off everybody's path; when that is answered, what was missed meanwhile
 * is made up for, and only then is the store asked again.
 */

export type Breaker = {
  /** Whether the store may be asked. */
  readonly closed: boolean
  /** Counts a call that was not answered, and one that was. */
  failed(reason: unknown): void
  answered(): void
  stop(): void
}

const failuresMax = 5
const probeEveryMs = 100

/**
 * A store that answers the probe, and fails again this soon, is given twice the time before the next:
 * else it is in everybody's way, and in the log, every tenth of a second.
 */
const steadyMs = 1000
const probeSlowestMs = 2000

export function createBreaker(options: {
  /** Rejects while the store is away. */
  probe(): Promise<unknown>
  /** Makes up for what was missed; rejects where the store is away again. */
  heal(): Promise<unknown>
  /** Failures nearer to each other are one: a stall of this process ends many calls at once. */
  readonly apartMs?: number
  onOpen(reason: unknown): void
  onClose(): void
}): Breaker {
  let failures = 0
  let isClosed = true
  let isStopped = false
  let failedAt = Number.NEGATIVE_INFINITY
  let closedAt = Number.NEGATIVE_INFINITY
  let waitMs = probeEveryMs
  let timer: ReturnType<typeof setTimeout> | undefined

  const close = async () => {
    try {
      await options.probe()
      await options.heal()
    } catch {
      if (!isStopped) timer = setTimeout(() => void close(), waitMs)
      return
    }
    failures = 0
    isClosed = true
    closedAt = performance.now()
    options.onClose()
  }

  return {
    get closed() {
      return isClosed
    },
    failed(reason) {
      const now = performance.now()
      if (now - failedAt < (options.apartMs ?? 0)) return
      failedAt = now
      failures += 1
      if (!isClosed || failures < failuresMax || isStopped) return
      isClosed = false
      const isSteady = performance.now() - closedAt > steadyMs
      waitMs = isSteady ? probeEveryMs : Math.min(waitMs * 2, probeSlowestMs)
      options.onOpen(reason)
      timer = setTimeout(() => void close(), waitMs)
    },
    answered() {
      failures = 0
    },
    stop() {
      isStopped = true
      clearTimeout(timer)
    },
  }
}

export class Late extends Error {
  override readonly name = 'Late'
}

const stallMs = 4

/** Settles as `work` does, or rejects with `Late` when it was not there in time. */
export function within<T>(work: Promise<T>, ms: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const dueAt = performance.now() + ms
    const late = () => {
      // A busy process sees its timers first: what has arrived meanwhile is heard before it counts as late.
      setImmediate(() => reject(new Late(`no answer within ${ms} ms`)))
    }
    let timer = setTimeout(() => {
      // A timer that is late itself tells of this process, not of the store.
      if (performance.now() - dueAt < stallMs) late()
      else timer = setTimeout(late, stallMs)
    }, ms)
    work.then(
      (value) => {
        clearTimeout(timer)
        resolve(value)
      },
      (thrown) => {
        clearTimeout(timer)
        reject(thrown)
      },
    )
  })
}
