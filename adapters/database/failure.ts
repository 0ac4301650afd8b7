/** What a failed statement or connect means for its outcome, and what may be said about it. */
import { DrizzleQueryError } from 'drizzle-orm/errors'
import { DatabaseError, type Outcome } from '../../src/ports/database.ts'
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
  const { sqlState, reason } = read(thrown)
  return new DatabaseError(
    'not-sent',
    `No connection to ${where}: ${reason}`,
    sqlState === undefined ? {} : { sqlState },
  )
}

/** A statement that was sent, or was about to be, failed with `thrown`. */
export function statementFailure(thrown: unknown, where: string): DatabaseError {
  const { sqlState, severity, constraint, reason, code } = read(thrown)
  if (sqlState === undefined) {
    return raisedHere.has(code)
      ? new DatabaseError('not-sent', `The statement was not sent to ${where}: ${reason}`)
      : new DatabaseError('unknown', `The connection to ${where} was lost: ${reason}`)
  }
  const outcome = outcomeOf(sqlState, severity)
  return new DatabaseError(outcome, `${where} answered ${reason}`, {
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
    const reason = plainReason(code || message || 'unknown')
    return { code, severity, sqlState: undefined, constraint, reason }
  }
  // Messages of class 22 quote values, that of 42601 quotes the statement. They stay out of logs.
  const quoting = code.startsWith('22') || code === '42601'
  const reason = `SQLSTATE ${code}${quoting || message === '' ? '' : ` (${message})`}`
  return { code, severity, sqlState: code, constraint, reason }
}
