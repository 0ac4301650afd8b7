/** What a failed statement or connect means for its outcome, and what may be said about it. */
import { DrizzleQueryError } from 'drizzle-orm/errors'
import { thrownText } from '../../src/mechanics/thrown-text.ts'
import { DatabaseError, type FailureReason, type Outcome } from '../../src/ports/database.ts'
import { plainReason } from '../reason.ts'

/** The fields that postgres.js, PGlite and the runtime's sockets give their errors. */
type Thrown = {
  readonly message?: unknown
  readonly code?: unknown
  /** Only an answer of a server has one of these; by its code alone, `EPIPE` is an SQLSTATE. */
  readonly severity?: unknown
  /** What PgBouncer answers by itself has no other. */
  readonly severity_local?: unknown
  readonly constraint_name?: unknown
  readonly constraint?: unknown
}

/** Errors of the driver itself, raised before anything was sent. */
const raisedHere = new Set(['UNDEFINED_VALUE', 'MAX_PARAMETERS_EXCEEDED'])

/** No connection could be had, whatever was answered meanwhile: nothing ran. */
export function connectFailure(thrown: unknown, where: string): DatabaseError {
  const { sqlState, text, message } = read(thrown)
  return new DatabaseError(
    'not-sent',
    `No connection to ${where}: ${text}`,
    sqlState === undefined ? {} : { sqlState, reason: reasonOf(sqlState, message) },
  )
}

/**
 * A statement that was sent, or was about to be, failed with `thrown`. `isLate`: its deadline had
 * passed, so a cancel was asked for here.
 */
export function statementFailure(thrown: unknown, where: string, isLate = false): DatabaseError {
  const { sqlState, severity, constraint, text, message, code } = read(thrown)
  if (sqlState === undefined) {
    return raisedHere.has(code)
      ? new DatabaseError('not-sent', `The statement was not sent to ${where}: ${text}`)
      : new DatabaseError('unknown', `The connection to ${where} was lost: ${text}`)
  }
  const outcome = outcomeOf(sqlState, severity)
  const isCancelled = sqlState === '57014' && isLate
  return new DatabaseError(outcome, `${where} answered ${text}`, {
    reason: isCancelled ? 'slow' : reasonOf(sqlState, message),
    sqlState,
    ...(constraint === undefined ? {} : { constraint }),
  })
}

/** A migration failed: drizzle's own message would be the whole statement, the cause is the answer. */
export function migrationFailure(thrown: unknown, where: string): unknown {
  const cause = thrown instanceof DrizzleQueryError ? thrown.cause : thrown
  const isAnswer = typeof cause === 'object' && cause !== null && 'code' in cause
  return isAnswer ? statementFailure(cause, where) : cause
}

function outcomeOf(sqlState: string, severity: string): Outcome {
  // Answered in place of a statement by a server that is starting or full, or by PgBouncer for it.
  if (sqlState === '57P03' || sqlState === '53300') return 'not-sent'
  // The session was killed, perhaps after its commit: 57P01 and 57P02 by shutdown or an operator,
  // 57P04 and 57P05 likewise; class 08 is PgBouncer telling that its server connection broke.
  if (/^57P0[1245]$/.test(sqlState) || sqlState.startsWith('08') || sqlState === '40003') {
    return 'unknown'
  }
  // A server that panics may have flushed the commit before.
  return severity === 'PANIC' ? 'unknown' : 'refused'
}

/** How the C library words that a file cannot grow: where the error has no SQLSTATE of its own. */
const noSpace = /No space left on device|Disk quota exceeded|File too large/

/** Postgres words its time-outs in the server's language; in another one they count as refusals. */
const serverTimeout = /due to (statement|transaction) timeout/

function reasonOf(sqlState: string, message: string): FailureReason {
  if (sqlState === '53100' || noSpace.test(message)) return 'full'
  if (sqlState === '25006') return 'read-only'
  if (sqlState === '25P04' || (sqlState === '57014' && serverTimeout.test(message))) return 'slow'
  // The server is starting or stopping, or the connection was lost.
  return /^(08|57P0|40003)/.test(sqlState) ? 'unreachable' : 'refused'
}

/** Whether Postgres ended with this failure: after a PANIC or FATAL it answers no other statement. */
export function isLastAnswer(thrown: unknown): boolean {
  const { sqlState, severity, code } = read(thrown)
  return sqlState === undefined ? !raisedHere.has(code) : /^(PANIC|FATAL)$/.test(severity)
}

function read(thrown: unknown) {
  const error: Thrown = typeof thrown === 'object' && thrown !== null ? thrown : {}
  const code = typeof error.code === 'string' ? error.code : ''
  const severities = [error.severity, error.severity_local, '']
  const severity = severities.find((each) => typeof each === 'string') ?? ''
  const message = typeof error.message === 'string' ? error.message : ''
  const constraint = [error.constraint_name, error.constraint].find(
    (name): name is string => typeof name === 'string',
  )
  if (severity === '') {
    const text = plainReason(code || message || thrownText(thrown))
    return { code, severity, sqlState: undefined, constraint, text, message }
  }
  // Messages of class 22 quote values, that of 42601 quotes the statement. They stay out of logs.
  const quoting = code.startsWith('22') || code === '42601'
  const text = `SQLSTATE ${code}${quoting || message === '' ? '' : ` (${message})`}`
  return { code, severity, sqlState: code, constraint, text, message }
}
