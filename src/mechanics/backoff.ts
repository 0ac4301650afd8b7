/**
 * Exponential backoff: how long to wait before something that failed is tried again. The bound of the wait doubles with
 * every failure in a row. "Full jitter" and "equal jitter" are those of Marc Brooker, "Exponential Backoff And Jitter"
 * (AWS Architecture Blog, 2015): clients that were cut off together must not come back together.
 */

export type Backoff = {
  /** The bound of the first wait, milliseconds. */
  readonly firstMs: number
  /** No wait is longer, milliseconds. */
  readonly maxMs: number
}

/**
 * The bound of a wait after `failures` earlier failures in a row, from 0 on. As a wait by itself it suits what one
 * process does alone, for example probes.
 */
export const boundMs = ({ firstMs, maxMs }: Backoff, failures: number): number =>
  Math.min(maxMs, firstMs * 2 ** failures)

/** A random wait from 0 to the bound: spreads a crowd best, and may be next to nothing. */
export const fullJitterMs = (backoff: Backoff, failures: number): number =>
  Math.random() * boundMs(backoff, failures)

/** A random wait from half the bound to the bound: never a hot loop. */
export const equalJitterMs = (backoff: Backoff, failures: number): number =>
  boundMs(backoff, failures) * (0.5 + Math.random() / 2)

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
