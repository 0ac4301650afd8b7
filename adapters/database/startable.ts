import type { Database } from '../../src/ports/database.ts'

/**
 * An opened database that may lack migrations. Call `migrate` or `verify` before the first query.
 */
export interface StartableDatabase extends Database {
  /**
   * Checks that this release can run on the database, and changes nothing. `migrate` does the same
   * checks; call `verify` alone if the start must not migrate.
   * @throws StartRefusal This release cannot run on the database.
   */
  verify(): Promise<void>
}

/** A report of an adapter for the operator. `message` is one sentence without secrets. */
export type DatabaseEvent = {
  readonly type: DatabaseEventType
  readonly message: string
}

export type DatabaseEventType =
  /** The server can lose writes that it confirmed, and `allowUnsafe` permits it. At every start. */
  | 'unsafe'
  /** The start waits for the server, or for another node that migrates. */
  | 'waiting'
  /** Missing migrations were run. */
  | 'migrated'
  /** The first failed connect of an outage, and the first connect after it. */
  | 'unreachable'
  | 'reachable'
  /** A connection was closed because it answered neither its statement nor the cancel. */
  | 'stuck'
  /** `ANALYZE` failed. Postgres may keep plans that it made while the tables were small. */
  | 'unanalysed'
  /**
   * A session was closed because its settings may be old. One event for each session; all sessions
   * of one SQLSTATE have the same text.
   */
  | 'stale'
  /** The embedded database ended after a failure. */
  | 'ended'
  /** The embedded database could not be opened again. Each cause is reported once. */
  | 'unopened'
  /** The embedded database was opened again. */
  | 'reopened'

export type OnDatabaseEvent = (event: DatabaseEvent) => void
