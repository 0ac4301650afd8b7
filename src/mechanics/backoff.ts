/**
 * Exponential backoff: how long to wait before a failed attempt is repeated. The longest possible
 * wait (the bound) doubles with each failure in a row. Full jitter and equal jitter are those of
 * Marc Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015): they spread the
 * retries of clients that lost their connections at the same moment.
 */

/** The bounds of the waits. */
export type Backoff = {
  /** Milliseconds that the first wait takes at most. */
  readonly firstMs: number
  /** Milliseconds that any wait takes at most. */
  readonly maxMs: number
}

/**
 * The longest wait in milliseconds after `failures` earlier failures in a row, from 0 on. Use it as
 * the wait itself, without jitter, for work that only one process does, such as a probe.
 */
export const boundMs = ({ firstMs, maxMs }: Backoff, failures: number): number =>
  Math.min(maxMs, firstMs * 2 ** failures)

/**
 * A random wait from 0 to the bound, in milliseconds. It spreads many clients best, and may be near
 * 0.
 */
export const fullJitterMs = (backoff: Backoff, failures: number): number =>
  Math.random() * boundMs(backoff, failures)

/** A random wait from half the bound to the bound, in milliseconds. It never becomes a hot loop. */
export const equalJitterMs = (backoff: Backoff, failures: number): number =>
  boundMs(backoff, failures) * (0.5 + Math.random() / 2)

/** Resolves after `ms` milliseconds. Rejects with the signal's reason when the signal aborts. */
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
