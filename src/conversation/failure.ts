/** A failed statement -> the problem its caller is told. */
import {
  type Database,
  DatabaseError,
  type QueryOptions,
  type Statement,
} from '../ports/database.ts'
import { Problem } from '../problem.ts'

/** Postgres answered, and the same statement can succeed later: it was full, stopping or read-only. */
const passing = /^(08|53|57|58|25006|40)/

/** lock_not_available */
const lockTimeout = '55P03'

/** `write` says that an unknown outcome may have written something. */
export function problemOf(thrown: unknown, kind: 'read' | 'write'): unknown {
  if (!(thrown instanceof DatabaseError)) return thrown
  if (thrown.sqlState === lockTimeout)
    return new Problem('conversation-busy', undefined, { cause: thrown })
  if (thrown.outcome === 'unknown' && kind === 'write')
    return new Problem('outcome-unknown', undefined, { cause: thrown })
  if (thrown.outcome !== 'refused' || passing.test(thrown.sqlState ?? ''))
    return new Problem('database-unavailable', undefined, { cause: thrown })
  return thrown
}

/** Runs one statement; its failures are problems. */
export async function ask<Row extends object>(
  database: Database,
  kind: 'read' | 'write',
  statement: Statement,
  options?: QueryOptions,
): Promise<Row[]> {
  try {
    return await database.query<Row>(statement, options)
  } catch (thrown) {
    throw problemOf(thrown, kind)
  }
}
