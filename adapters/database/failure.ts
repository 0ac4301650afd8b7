/**
 * Turns the error of a failed statement or connect into a `DatabaseError` with outcome and reason.
 */
import { DrizzleQueryError } from 'drizzle-orm/errors'
import { thrownText } from '../../src/mechanics/thrown-text.ts'
import { DatabaseError, type FailureReason, type Outcome } from '../../src/ports/database.ts'
import { plainReason } from '../reason.ts'

/** The fields that postgres.js, PGlite and the runtime's sockets give their errors. */
type Thrown = {
  readonly message?: unknown
  readonly code?: unknown
  /**
   * Only an answer of a server has a severity. `EPIPE` has the form of an SQLSTATE, and no
   * severity.
   */
  readonly severity?: unknown
  /** The only severity in errors that PgBouncer itself answers. */
  readonly severity_local?: unknown
  readonly constraint_name?: unknown
  readonly constraint?: unknown
}

/** Codes of errors that the driver raises before it sends anything. */
const raisedHere = new Set(['UNDEFINED_VALUE', 'MAX_PARAMETERS_EXCEEDED'])

/**
 * The error of a failed connect. Nothing ran, whatever the server answered. `where` names the
 * server.
 */
export function connectFailure(thrown: unknown, where: string): DatabaseError {
  const { sqlState, text, message } = read(thrown)
  return new DatabaseError(
    'not-sent',
    `No connection to ${where}: ${text}`,
    sqlState === undefined ? {} : { sqlState, reason: reasonOf(sqlState, message) },
  )
}

/**
 * The error of a statement that failed with `thrown`.
 * @param where Names the server, without secrets.
 * @param isLate Whether the deadline had passed, so that this node had asked Postgres to cancel.
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

/**
 * The error of a failed migration: Postgres' answer. drizzle's own message holds the whole
 * statement.
 */
export function migrationFailure(thrown: unknown, where: string): unknown {
  const cause = thrown instanceof DrizzleQueryError ? thrown.cause : thrown
  const isAnswer = typeof cause === 'object' && cause !== null && 'code' in cause
  return isAnswer ? statementFailure(cause, where) : cause
}

function outcomeOf(sqlState: string, severity: string): Outcome {
  // A server that is starting, or has no connection left, answers so instead of running the
  // statement. So does PgBouncer on its behalf.
  if (sqlState === '57P03' || sqlState === '53300') return 'not-sent'
  // The session was killed, perhaps after its commit: 57P01, 57P02, 57P04 and 57P05 by a shutdown
  // or an operator. PgBouncer answers class 08 when its connection to the server broke.
  if (/^57P0[1245]$/.test(sqlState) || sqlState.startsWith('08') || sqlState === '40003') {
    return 'unknown'
  }
  // A server that panics may have flushed the commit before that.
  return severity === 'PANIC' ? 'unknown' : 'refused'
}

/**
 * Messages of the C library when a file cannot grow. Some of these errors have a general SQLSTATE.
 */
const noSpace = /No space left on device|Disk quota exceeded|File too large/

/**
 * English messages of Postgres' time-outs. In another language of the server they count as
 * refusals.
 */
const serverTimeout = /due to (statement|transaction) timeout/

function reasonOf(sqlState: string, message: string): FailureReason {
  if (sqlState === '53100' || noSpace.test(message)) return 'full'
  if (sqlState === '25006') return 'read-only'
  if (sqlState === '25P04' || (sqlState === '57014' && serverTimeout.test(message))) return 'slow'
  // The server is starting or stopping, or the connection was lost.
  return /^(08|57P0|40003)/.test(sqlState) ? 'unreachable' : 'refused'
}

/**
 * Whether Postgres ended with this failure. After a PANIC or FATAL it answers no other statement.
 */
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
  // Messages of class 22 quote values, and those of 42601 the statement. Both must stay out of
  // logs.
  const quoting = code.startsWith('22') || code === '42601'
  const text = `SQLSTATE ${code}${quoting || message === '' ? '' : ` (${message})`}`
  return { code, severity, sqlState: code, constraint, text, message }
}
