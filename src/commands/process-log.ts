/** What the runtime would print by itself becomes lines of the log: warnings, and errors that nobody caught. */
import type { Events } from '../events.ts'

/**
 * `signal` aborts at the first exception that nobody caught: what it interrupted is in doubt, so the
 * service stops as at a signal. A rejection that nobody handled interrupted nothing.
 */
export type ProcessLog = Disposable & { readonly signal: AbortSignal }

export function logProcess(events: Events): ProcessLog {
  const failure = new AbortController()
  const onWarning = ({ name, message }: Error) => events.processWarning(name, message)
  const onException = (error: unknown) => {
    events.processFailed('uncaughtException', error)
    failure.abort('uncaughtException')
  }
  const onRejection = (reason: unknown) => events.processFailed('unhandledRejection', reason)
  // The runtime's own printer is a listener like any other.
  const printers = process.listeners('warning')
  process.removeAllListeners('warning')
  process.on('warning', onWarning)
  process.on('uncaughtException', onException)
  process.on('unhandledRejection', onRejection)
  return {
    signal: failure.signal,
    [Symbol.dispose]() {
      process.off('warning', onWarning)
      process.off('uncaughtException', onException)
      process.off('unhandledRejection', onRejection)
      for (const printer of printers) process.on('warning', printer)
    },
  }
}
