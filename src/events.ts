/**
 * The log of the service: one function per event. Each function writes one line, and none throws.
 * No line contains a secret, an SQL text or the text of a message. docs/logs.md explains every
 * event.
 */
import { type EventName, eventLevels, type Level, levels } from './log/event-levels.ts'
import { createLimiter, type Limit } from './log/limiter.ts'
import { type LogFormat, printers } from './log/printers.ts'
import { cut, describe, reasonOf, textOf } from './log/reasons.ts'
import { sqlStateOf } from './ports/database.ts'

export { eventLevels, type Level } from './log/event-levels.ts'

/** A request or a live frame that the service has answered. */
export type AnsweredRequest = {
  /** Method and path without the query; for a frame, `/v1/live` and the type of the frame. */
  readonly route: string
  /** Milliseconds from arrival to answer. */
  readonly ms: number
  readonly requestId: string
  readonly conversationId: string | undefined
}

/** A request or a live frame that was answered with a status of 500 or above. */
export type FailedRequest = AnsweredRequest & {
  /** The code of the problem that the caller got. */
  readonly code: string
  readonly status: number
  /** The error behind the problem. The caller does not see it. */
  readonly cause: unknown
}

export type Events = {
  /**
   * The service listens. `dataDirectory` is the directory of the embedded database, if it is used.
   */
  started(at: {
    readonly version: string
    readonly url: string
    readonly database: string
    readonly cache: string
    readonly dataDirectory: string | undefined
  }): void
  /** The service begins to stop. `reason` is a signal or an exception. */
  stopping(reason: string): void
  /** A setting or a circumstance that an operator should know. */
  notice(level: Level, message: string): void
  /** No connection to the database can be opened. */
  databaseLost(reason: string): void
  databaseBack(): void
  /** Writes fail and the probe of writes fails, too: `/readyz` answers 503 with this code. */
  writesLost(code: string, error: unknown): void
  /** The probe succeeded twice in a row: `/readyz` answers 200 again. */
  writesBack(): void
  /** The cache does not answer: reads go to the database. */
  cacheLost(reason: string): void
  cacheBack(): void
  /** One operation of the cache, `what`, failed. The database has the data. */
  cacheFailed(what: string, conversationId: string, error: unknown): void
  /**
   * The connection that receives changes of the cache had silently stopped receiving. The line
   * counts how often.
   */
  cacheDeaf(reason: string): void
  /**
   * Several calls of the cache failed in a row, or it refuses writes: it is not called until a
   * probe succeeds.
   */
  cacheSkipped(reason: unknown): void
  /** A probe of the cache succeeded: the cache is called again. */
  cacheResumed(): void
  /** The cache had a version that the database does not have, so the cached window was dropped. */
  cacheAhead(conversationId: string, version: number): void
  /** One request, whatever its outcome, if `log.requests` is on. `bytes` is its Content-Length. */
  request(
    answered: AnsweredRequest & { readonly status: number; readonly bytes: number | undefined },
  ): void
  /** The request was answered with a 4xx: the caller has to change it. */
  requestRefused(
    answered: AnsweredRequest & { readonly status: number; readonly code: string },
  ): void
  /** The request took longer than `server.slowRequestMs`. */
  requestSlow(answered: AnsweredRequest & { readonly status: number | undefined }): void
  /** The service could not serve the request now: a 5xx that is not a fault of its code. */
  requestUnserved(request: FailedRequest): void
  /** The request failed because of a fault of the service: a 500. */
  requestFailed(request: FailedRequest): void
  /** An effect after a commit failed. The write itself is stored. */
  effectFailed(effect: string, conversationId: string, error: unknown): void
  /** Background work, which no caller waits for, failed. It is tried again. */
  workFailed(work: string, error: unknown, conversationId?: string): void
  /**
   * The connection was lost between a write and its answer: of `turns` turns, `found` were
   * recorded.
   */
  outcomeUnknown(turns: number, found: number): void
  /** The service closed a live socket. */
  socketClosed(reason: string): void
  /** A request was refused: the service does not answer under the name in its `Host` header. */
  hostRefused(host: string): void
  /** A write or a connection by a web page of this origin was refused. */
  originRefused(origin: string): void
  /** A stop sent a `bye` to this number of live sockets. */
  socketsDrained(sockets: number): void
  /**
   * The database has an older version of a conversation than its followers were sent: it was
   * restored, or is another database. The followers are reset.
   */
  headWentBack(conversationId: string, from: number, to: number): void
  /**
   * Nearly all file descriptors of this process are in use: about `used` of `limit`, if the limit
   * is known.
   */
  descriptorsLow(used: number, limit: number | undefined): void
  /** The runtime or a library emitted a warning. */
  processWarning(name: string, message: string): void
  /** An error was not caught: `origin` is `uncaughtException` or `unhandledRejection`. */
  processFailed(origin: string, error: unknown): void
}

/**
 * The log. `flush` writes the counts of left-out lines now instead of later: call it before the
 * end.
 */
export type Log = Events & { flush(): void }

export type LogOptions = {
  /** @default 'info' */
  readonly level?: Level
  /** @default 'json' */
  readonly format?: LogFormat
  /** The window of every limit, in milliseconds. By default each limit has its own. */
  readonly windowMs?: number
}

/**
 * The limit of most events. The two below are tighter: failing background work fails again every
 * second, and a refused page asks again and again.
 */
const tenInTen: Limit = { lines: 10, windowMs: 10_000 }
const threeInMinute: Limit = { lines: 3, windowMs: 60_000 }
const oneInThirty: Limit = { lines: 1, windowMs: 30_000 }

/**
 * Codes of refusals that protect the service or announce its stop. Nothing is broken, so they are
 * `warn`.
 */
const expectedCodes = new Set(['conversation-busy', 'overloaded', 'draining', 'not-ready'])

type Fields = Readonly<Record<string, unknown>>

/**
 * Makes the log.
 * @param write gets each line without a line feed; by default it writes to standard error
 */
export function createEvents(
  write: (line: string) => void = writeToStandardError,
  { level: threshold = 'info', format = 'json', windowMs }: LogOptions = {},
): Log {
  const limiter = createLimiter()
  const rank = levels.indexOf(threshold)
  const isWritten = (level: Level) => levels.indexOf(level) <= rank

  const emit = (event: EventName, fields: Fields, level: Level = eventLevels[event]) => {
    if (!isWritten(level)) return
    try {
      write(printers[format]({ time: new Date().toISOString(), level, event, ...fields }))
    } catch {
      // An event must never fail the work that it reports.
    }
  }
  /**
   * Writes `limit.lines` lines per window for each value of `key`; one more line counts the others.
   */
  const throttle = (
    event: EventName,
    key: Readonly<Record<string, string>>,
    fields: () => Fields,
    { level = eventLevels[event] as Level, limit = tenInTen } = {},
  ) => {
    const bounds = windowMs === undefined ? limit : { ...limit, windowMs }
    const reportLeftOut = (leftOut: number) =>
      emit(event, { ...key, leftOut, withinMs: bounds.windowMs }, level)
    const name = [event, ...Object.values(key)].join(' ')
    if (limiter.admit(name, bounds, reportLeftOut)) emit(event, { ...key, ...fields() }, level)
  }

  let deafTimes = 0
  return {
    started: (at) => emit('started', at),
    stopping: (reason) => emit('stopping', { reason }),
    notice: (level, message) => throttle('notice', { message }, () => ({}), { level }),
    databaseLost: (reason) => emit('database-lost', { reason }),
    databaseBack: () => emit('database-back', {}),
    writesLost: (code, error) => emit('writes-lost', { code, ...reasonOf(error) }),
    writesBack: () => emit('writes-back', {}),
    cacheLost: (reason) => emit('cache-lost', { reason }),
    cacheBack: () => emit('cache-back', {}),
    cacheFailed: (what, conversationId, error) =>
      throttle('cache-failed', { what }, () => ({ conversationId, reason: textOf(error) })),
    cacheDeaf(reason) {
      deafTimes += 1
      emit('cache-deaf', { reason, times: deafTimes })
    },
    cacheSkipped: (reason) => emit('cache-skipped', { reason: textOf(reason) }),
    cacheResumed: () => emit('cache-used', {}),
    cacheAhead: (conversationId, version) =>
      throttle('cache-ahead', {}, () => ({ conversationId, version })),
    request: (answered) => emit('request', answered),
    requestRefused: (answered) => emit('request-refused', answered),
    requestSlow: (answered) => throttle('request-slow', {}, () => answered),
    requestUnserved: ({ code, cause, ...answered }) =>
      throttle(
        'request-unserved',
        { code },
        () => ({ ...answered, ...reasonOf(cause) }),
        expectedCodes.has(code) ? { level: 'warn' } : {},
      ),
    requestFailed: ({ code, cause, ...answered }) =>
      throttle('request-failed', { code }, () => ({
        ...answered,
        sqlState: sqlStateOf(cause),
        error: describe(cause),
      })),
    effectFailed: (effect, conversationId, error) =>
      throttle('effect-failed', { effect }, () => ({ conversationId, error: describe(error) })),
    workFailed: (work, error, conversationId) =>
      throttle('work-failed', { work }, () => ({ conversationId, ...reasonOf(error) }), {
        limit: oneInThirty,
      }),
    outcomeUnknown: (turns, found) => throttle('outcome-unknown', {}, () => ({ turns, found })),
    socketClosed: (reason) => throttle('socket-closed', { reason }, () => ({})),
    hostRefused: (host) =>
      throttle('host-refused', { setting: 'server.allowedHosts' }, () => ({ host: cut(host) }), {
        limit: threeInMinute,
      }),
    originRefused: (origin) =>
      throttle(
        'origin-refused',
        { setting: 'server.allowedOrigins' },
        () => ({ origin: cut(origin) }),
        { limit: threeInMinute },
      ),
    socketsDrained: (sockets) => emit('sockets-drained', { sockets }),
    headWentBack: (conversationId, from, to) =>
      throttle('head-went-back', {}, () => ({ conversationId, from, to })),
    descriptorsLow: (used, limit) =>
      throttle('descriptors-low', {}, () => ({ used, limit }), { limit: oneInThirty }),
    processWarning: (name, message) =>
      throttle('process-warning', { name }, () => ({ message: message.replaceAll('\n', ' ') })),
    processFailed: (origin, error) =>
      throttle('process-failed', { origin }, () => ({ error: describe(error) })),
    flush: limiter.flush,
  }
}

function writeToStandardError(line: string): void {
  process.stderr.write(`${line}\n`)
}
