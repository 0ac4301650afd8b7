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
  /** The cache does not answer: reads go to the database. */
  cacheLost(reason: string): void
  cacheBack(): void
  /**
   * The cache did not take or give something; the database did. Ten lines in ten seconds at most:
   * the next one says how many were left out.
   */
  cacheFailed(what: string, conversationId: string, error: unknown): void
  /** The connection that hears changes of the cache had silently stopped hearing; the line has how often so far. */
  cacheDeaf(reason: string): void
  /**
   * The cache did not answer several times in a row, or refuses to write: it is asked nothing until it
   * takes a probe.
   */
  cacheSkipped(reason: unknown): void
  cacheUsed(): void
  /** The cache held a version that the database does not have: it was dropped. */
  cacheAhead(conversationId: string, version: number): void
  /** A request failed through a fault of the service. */
  requestFailed(requestId: string, route: string, error: unknown): void
  /** An effect after a commit failed; the write stands. */
  effectFailed(effect: string, conversationId: string, error: unknown): void
  /** The connection was lost between a write and its answer. */
  outcomeUnknown(turns: number, found: number): void
  /** A live socket was closed from this side. Ten lines in ten seconds at most. */
  socketClosed(reason: string): void
  /** A stop said goodbye to so many live sockets. */
  socketsDrained(sockets: number): void
  /**
   * The database knows less of a conversation than was sent of it: it was restored, or is another
   * one. Its followers start anew. Ten lines in ten seconds at most.
   */
  headWentBack(conversationId: string, from: number, to: number): void
}

export function createEvents(write: (line: string) => void = writeToStandardError): Events {
  const emit = (level: Level, event: string, fields: Record<string, unknown>) => {
    try {
      write(JSON.stringify({ time: new Date().toISOString(), level, event, ...fields }))
    } catch {
      // An event must never fail the work it tells of.
    }
  }
  const seldom = createLimiter(10, 10_000)
  const seldomAhead = createLimiter(10, 10_000)
  const seldomClosed = createLimiter(10, 10_000)
  const seldomBack = createLimiter(10, 10_000)
  let deafTimes = 0
  return {
    started: (at) => emit('info', 'started', at),
    stopping: (reason) => emit('info', 'stopping', { reason }),
    notice: (level, message) => emit(level, 'notice', { message }),
    databaseLost: (reason) => emit('warn', 'database-lost', { reason }),
    databaseBack: () => emit('info', 'database-back', {}),
    cacheLost: (reason) => emit('warn', 'cache-lost', { reason }),
    cacheBack: () => emit('info', 'cache-back', {}),
    cacheFailed(what, conversationId, error) {
      const leftOut = seldom()
      if (leftOut === undefined) return
      const reason = textOf(error)
      emit('warn', 'cache-failed', {
        what,
        conversationId,
        reason,
        ...(leftOut === 0 ? {} : { leftOut }),
      })
    },
    cacheDeaf(reason) {
      deafTimes += 1
      emit('warn', 'cache-deaf', { reason, times: deafTimes })
    },
    cacheSkipped: (reason) => emit('warn', 'cache-skipped', { reason: textOf(reason) }),
    cacheUsed: () => emit('info', 'cache-used', {}),
    cacheAhead(conversationId, version) {
      if (seldomAhead() !== undefined) emit('warn', 'cache-ahead', { conversationId, version })
    },
    requestFailed: (requestId, route, error) =>
      emit('error', 'request-failed', { requestId, route, error: describe(error) }),
    effectFailed: (effect, conversationId, error) =>
      emit('warn', 'effect-failed', { effect, conversationId, error: describe(error) }),
    outcomeUnknown: (turns, found) => emit('warn', 'outcome-unknown', { turns, found }),
    socketClosed(reason) {
      const leftOut = seldomClosed()
      if (leftOut !== undefined)
        emit('warn', 'socket-closed', { reason, ...(leftOut === 0 ? {} : { leftOut }) })
    },
    socketsDrained: (sockets) => emit('info', 'sockets-drained', { sockets }),
    headWentBack(conversationId, from, to) {
      const leftOut = seldomBack()
      if (leftOut !== undefined)
        emit('error', 'head-went-back', {
          conversationId,
          from,
          to,
          ...(leftOut === 0 ? {} : { leftOut }),
        })
    },
  }
}

/** Answers how many calls were refused since the last good one; undefined where this one is. */
function createLimiter(max: number, windowMs: number): () => number | undefined {
  let since = Number.NEGATIVE_INFINITY
  let count = 0
  let leftOut = 0
  return () => {
    const now = performance.now()
    if (now - since > windowMs) {
      since = now
      count = 0
    }
    count += 1
    if (count > max) {
      leftOut += 1
      return undefined
    }
    const before = leftOut
    leftOut = 0
    return before
  }
}

const textOf = (error: unknown) => (error instanceof Error ? error.message : String(error))

/** An error's class, text and place; its cause as well. */
function describe(error: unknown): unknown {
  if (!(error instanceof Error)) return String(error)
  const { name, message, stack, cause } = error
  return { name, message, stack, ...(cause === undefined ? {} : { cause: describe(cause) }) }
}

function writeToStandardError(line: string): void {
  process.stderr.write(`${line}\n`)
}
