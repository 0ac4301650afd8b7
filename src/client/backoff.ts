/** Waiting before something is tried again. */

export type Backoff = {
  /** The bound of the first wait, milliseconds. */
  readonly firstMs: number
  /** No wait is longer, milliseconds. */
  readonly maxMs: number
}

/**
 * Full jitter: a wait between nothing and a bound that doubles with every failure, so that many who
 * were cut off together do not come back together. `failures` counts from 0.
 */
export const fullJitterMs = ({ firstMs, maxMs }: Backoff, failures: number): number =>
  Math.random() * Math.min(maxMs, firstMs * 2 ** failures)

/** Resolves after `ms`; rejects with the signal's reason when that aborts. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  await new Promise<void>((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer)
      reject(signal.reason)
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', abort)
      resolve()
    }, ms)
    signal.addEventListener('abort', abort, { once: true })
  })
}
