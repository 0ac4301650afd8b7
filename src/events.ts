/**
 * One function per thing worth knowing about the service. Each writes one line of the log; none
 * throws, none carries a secret, an SQL text or what people said. docs/logs.md explains every event.
 */
import { type EventName, eventLevels, type Level, levels } from './log/event-levels.ts'
import { createLimiter, type Limit } from './log/limiter.ts'
import { type LogFormat, printers } from './log/printers.ts'
import { cut, describe, reasonOf, textOf } from './log/reasons.ts'
import { sqlStateOf } from './ports/database.ts'

export { eventLevels, type Level } from './log/event-levels.ts'

/** A request or a frame that was answered. */
export type AnsweredRequest = {
  /** Method and path, without the query; of a frame `/v1/live` and its type. */
  readonly route: string
  /** From its arrival to its answer, in milliseconds. */
  readonly ms: number
  readonly requestId: string
  readonly conversationId: string | undefined
}

export type FailedRequest = AnsweredRequest & {
  /** Of the problem that the caller got. */
  readonly code: string
  readonly status: number
  /** What the caller does not get to see. */
  readonly cause: unknown
}

export type Events = {
  /** `dataDirectory`: of the embedded database. */
  started(at: {
    readonly version: string
    readonly url: string
    readonly database: string
    readonly cache: string
    readonly dataDirectory: string | undefined
  }): void
  stopping(reason: string): void
  /** A setting or a circumstance that an operator should know of. */
  notice(level: Level, message: string): void
  databaseLost(reason: string): void
  databaseBack(): void
  /** Writes fail, and so does the probe: `/readyz` answers 503 with this code. */
  writesLost(code: string, error: unknown): void
  /** The probe succeeded twice in a row: `/readyz` answers 200 again. */
  writesBack(): void
  /** The cache does not answer: reads go to the database. */
  cacheLost(reason: string): void
  cacheBack(): void
  /** The cache did not take or give something; the database did. */
  cacheFailed(what: string, conversationId: string, error: unknown): void
  /** The connection that hears changes of the cache had silently stopped hearing; the line has how often so far. */
  cacheDeaf(reason: string): void
  /**
   * The cache did not answer several times in a row, or refuses to write: it is asked nothing until it
   * takes a probe.
   */
  cacheSkipped(reason: unknown): void
  cacheResumed(): void
  /** The cache held a version that the database does not have: it was dropped. */
  cacheAhead(conversationId: string, version: number): void
  /** `log.requests`: every request, whatever became of it. `bytes`: of its body, as announced. */
  request(
    answered: AnsweredRequest & { readonly status: number; readonly bytes: number | undefined },
  ): void
  /** The caller was refused, by its own fault: a 4xx. */
  requestRefused(
    answered: AnsweredRequest & { readonly status: number; readonly code: string },
  ): void
  /** It took longer than `server.slowRequestMs`. */
  requestSlow(answered: AnsweredRequest & { readonly status: number | undefined }): void
  /** The service could not do it now: a 5xx that is no fault of its code. */
  requestUnserved(request: FailedRequest): void
  /** A request failed through a fault of the service: a 500. */
  requestFailed(request: FailedRequest): void
  /** An effect after a commit failed; the write stands. */
  effectFailed(effect: string, conversationId: string, error: unknown): void
  /** Work that no caller waits for failed; it is tried again. */
  workFailed(work: string, error: unknown, conversationId?: string): void
  /** The connection was lost between a write and its answer. */
  outcomeUnknown(turns: number, found: number): void
  /** A live socket was closed from this side. */
  socketClosed(reason: string): void
  /** A request came under a host name that is not ours. */
  hostRefused(host: string): void
  /** A web page of this origin may not write or connect. */
  originRefused(origin: string): void
  /** A stop said goodbye to so many live sockets. */
  socketsDrained(sockets: number): void
  /**
   * The database knows less of a conversation than was sent of it: it was restored, or is another
   * one. Its followers start anew.
   */
  headWentBack(conversationId: string, from: number, to: number): void
  /** Nearly all file descriptors of this process are in use: about `used` of `limit`, where that is known. */
  descriptorsLow(used: number, limit: number | undefined): void
  /** The runtime or a library warned of something. */
  processWarning(name: string, message: string): void
  /** An error that nobody caught: `origin` is `uncaughtException` or `unhandledRejection`. */
  processFailed(origin: string, error: unknown): void
}

/** `flush` writes the counts of lines left out that are due later: call it at the end. */
export type Log = Events & { flush(): void }

export type LogOptions = {
  /** @default 'info' */
  readonly level?: Level
  /** @default 'json' */
  readonly format?: LogFormat
  /** Of every limit, in milliseconds; each has its own without. */
  readonly windowMs?: number
}

/** Background work looks again every second, and a page asks again and again: fewer of these. */
const tenInTen: Limit = { lines: 10, windowMs: 10_000 }
const threeInMinute: Limit = { lines: 3, windowMs: 60_000 }
const oneInThirty: Limit = { lines: 1, windowMs: 30_000 }

/** Refusals that protect the service, or end with it: nothing is broken. */
const expectedCodes = new Set(['conversation-busy', 'overloaded', 'draining', 'not-ready'])

type Fields = Readonly<Record<string, unknown>>

/** `write` gets a line without its end. */
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
      // An event must never fail the work it tells of.
    }
  }
  /** At most so many lines for each value of `key`; the count of the others comes after the window. */
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
