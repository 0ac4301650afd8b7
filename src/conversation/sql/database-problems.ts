/** A failed statement -> the problem its caller gets. */
import {
  type Database,
  DatabaseError,
  type FailureReason,
  type QueryOptions,
  type Statement,
} from '../../ports/database.ts'
import { Problem, type ProblemCode } from '../../problem.ts'

/** `repeatable`: a write that sent twice is the same as once, by a key or an id of its own. */
export type StatementKind = 'read' | 'write' | 'repeatable'

const codes = {
  unreachable: 'database-unavailable',
  slow: 'database-slow',
  full: 'database-full',
  'read-only': 'database-read-only',
  refused: 'database-refused',
} as const satisfies Record<FailureReason, ProblemCode>

export type DatabaseCode = (typeof codes)[FailureReason]

/** lock_not_available, serialization_failure, deadlock_detected */
const otherWriters = /^(55P03|40001|40P01)$/

/** Data, integrity, limits and syntax: what the service sent was wrong. */
const faultOfTheService = /^(21|22|23|54|42601)/

export const isLockWait = ({ sqlState }: DatabaseError): boolean =>
  otherWriters.test(sqlState ?? '')

/** The code that a failure has for a cause of the database's; undefined where it has none such. */
export function databaseCodeOf(thrown: unknown): DatabaseCode | undefined {
  if (!(thrown instanceof DatabaseError)) return undefined
  if (isLockWait(thrown) || faultOfTheService.test(thrown.sqlState ?? '')) return undefined
  return codes[thrown.reason]
}

/** The problem, or what was thrown where it is a fault of the service. Its cause stays inside. */
export function problemOf(thrown: unknown, kind: StatementKind): unknown {
  if (!(thrown instanceof DatabaseError)) return thrown
  if (isLockWait(thrown) && kind !== 'read')
    return new Problem('conversation-busy', undefined, { cause: thrown })
  if (thrown.outcome === 'unknown' && kind !== 'read')
    return outcomeUnknown(thrown, kind === 'repeatable')
  const code = databaseCodeOf(thrown) ?? (isLockWait(thrown) ? 'database-refused' : undefined)
  return code === undefined ? thrown : new Problem(code, undefined, { cause: thrown })
}

/** `isRepeatable`: the same request, sent again, writes nothing twice. */
export function outcomeUnknown(cause: unknown, isRepeatable: boolean): Problem {
  const detail = isRepeatable
    ? 'Whether it was written is not known. Send the same again: it is written once.'
    : 'Whether it was written is not known. Nothing in the request names it, so sent again it may be written twice: read first whether it is there.'
  return new Problem('outcome-unknown', detail, { cause, retryable: isRepeatable })
}

/** Runs one statement; its failures are problems. */
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
