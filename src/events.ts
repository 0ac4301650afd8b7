/**
 * One function per thing worth knowing about the service. Each writes one JSON line to standard
 * error; none throws, none carries a secret, an SQL text or what people said.
 */

export type Level = 'info' | 'warn' | 'error'

export type Events = {
  started(at: { url: string; database: string }): void
  stopping(reason: string): void
  /** A setting or a circumstance that an operator should know of. */
  notice(level: Level, message: string): void
  databaseLost(reason: string): void
  databaseBack(): void
  /** A request failed through a fault of the service. */
  requestFailed(requestId: string, route: string, error: unknown): void
  /** An effect after a commit failed; the write stands. */
  effectFailed(effect: string, conversationId: string, error: unknown): void
  /** The connection was lost between a write and its answer. */
  outcomeUnknown(turns: number, found: number): void
}

export function createEvents(write: (line: string) => void = writeToStandardError): Events {
  const emit = (level: Level, event: string, fields: Record<string, unknown>) => {
    try {
      write(JSON.stringify({ time: new Date().toISOString(), level, event, ...fields }))
    } catch {
      // An event must never fail the work it tells of.
    }
  }
  return {
    started: (at) => emit('info', 'started', at),
    stopping: (reason) => emit('info', 'stopping', { reason }),
    notice: (level, message) => emit(level, 'notice', { message }),
    databaseLost: (reason) => emit('warn', 'database-lost', { reason }),
    databaseBack: () => emit('info', 'database-back', {}),
    requestFailed: (requestId, route, error) =>
      emit('error', 'request-failed', { requestId, route, error: describe(error) }),
    effectFailed: (effect, conversationId, error) =>
      emit('warn', 'effect-failed', { effect, conversationId, error: describe(error) }),
    outcomeUnknown: (turns, found) => emit('warn', 'outcome-unknown', { turns, found }),
  }
}

/** An error's class, text and place; its cause as well. */
function describe(error: unknown): unknown {
  if (!(error instanceof Error)) return String(error)
  const { name, message, stack, cause } = error
  return { name, message, stack, ...(cause === undefined ? {} : { cause: describe(cause) }) }
}

function writeToStandardError(line: string): void {
  process.stderr.write(`${line}\n`)
}
