/** Logs the warnings and uncaught errors that the runtime would otherwise print itself. */
import type { Events } from '../events.ts'

/**
 * The log of a process. `signal` aborts at the first uncaught exception: the state of the
 * interrupted work is in doubt, so the service stops as after SIGTERM. An unhandled rejection
 * interrupts nothing and is only logged.
 */
export type ProcessLog = Disposable & { readonly signal: AbortSignal }

/** Logs the warnings and uncaught errors of the process until it is disposed. */
export function logProcess(events: Events): ProcessLog {
  const failure = new AbortController()
  const onWarning = ({ name, message }: Error) => events.processWarning(name, message)
  const onException = (error: unknown) => {
    events.processFailed('uncaughtException', error)
    failure.abort('uncaughtException')
  }
  const onRejection = (reason: unknown) => events.processFailed('unhandledRejection', reason)
  // The runtime's own printer is one of these listeners. It is removed, and restored on dispose.
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
