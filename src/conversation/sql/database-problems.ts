/** Turns a failed statement into the problem that its caller gets. */
import {
  type Database,
  DatabaseError,
  type FailureReason,
  type QueryOptions,
  type Statement,
} from '../../ports/database.ts'
import { Problem, type ProblemCode } from '../../problem.ts'

/** A `repeatable` write has a key or an id, so that sending it twice writes it once. */
export type StatementKind = 'read' | 'write' | 'repeatable'

const codes = {
  unreachable: 'database-unavailable',
  slow: 'database-slow',
  full: 'database-full',
  'read-only': 'database-read-only',
  refused: 'database-refused',
} as const satisfies Record<FailureReason, ProblemCode>

export type DatabaseCode = (typeof codes)[FailureReason]

/** SQLSTATEs lock_not_available, serialization_failure and deadlock_detected. */
const otherWriters = /^(55P03|40001|40P01)$/

/** SQLSTATE classes of data, integrity, limits and syntax: the service sent something wrong. */
const faultOfTheService = /^(21|22|23|54|42601)/

export const isLockWait = ({ sqlState }: DatabaseError): boolean =>
  otherWriters.test(sqlState ?? '')

/** The code of a failure that the database caused; undefined for every other failure. */
export function databaseCodeOf(thrown: unknown): DatabaseCode | undefined {
  if (!(thrown instanceof DatabaseError)) return undefined
  if (isLockWait(thrown) || faultOfTheService.test(thrown.sqlState ?? '')) return undefined
  return codes[thrown.reason]
}

/**
 * Returns the problem, or `thrown` itself if the service is at fault. The problem hides its cause.
 */
export function problemOf(thrown: unknown, kind: StatementKind): unknown {
  if (!(thrown instanceof DatabaseError)) return thrown
  if (isLockWait(thrown) && kind !== 'read')
    return new Problem('conversation-busy', undefined, { cause: thrown })
  if (thrown.outcome === 'unknown' && kind !== 'read')
    return outcomeUnknown(thrown, kind === 'repeatable')
  const code = databaseCodeOf(thrown) ?? (isLockWait(thrown) ? 'database-refused' : undefined)
  return code === undefined ? thrown : new Problem(code, undefined, { cause: thrown })
}

/** The problem of a write that may be committed. If `isRepeatable`, sending it again is safe. */
export function outcomeUnknown(cause: unknown, isRepeatable: boolean): Problem {
  const detail = isRepeatable
    ? 'The write may or may not be committed. Send the same request again: it is written only once.'
    : 'The write may or may not be committed. The request has no key or id, so sending it again may write it twice. Read first whether it is stored.'
  return new Problem('outcome-unknown', detail, { cause, retryable: isRepeatable })
}

/** Runs one statement. It fails with problems only, unless the service itself is at fault. */
export async function ask<Row extends object>(
  database: Database,
  kind: StatementKind,
  statement: Statement,
  options?: QueryOptions,
): Promise<Row[]> {
  try {
    return await database.query<Row>(statement, options)
  } catch (thrown) {
    throw problemOf(thrown, kind)
  }
}
