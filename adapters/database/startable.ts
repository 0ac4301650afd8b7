import type { Database } from '../../src/ports/database.ts'

/** A database as it is opened, before the service may use it. */
export interface StartableDatabase extends Database {
  /**
   * Throws a `StartRefusal` unless this release can run on the database as it stands. `migrate`
   * includes it; without migrations at the start, call it alone.
   */
  verify(): Promise<void>
}

/** What an adapter has to tell an operator; `message` is one sentence without secrets. */
export type DatabaseEvent = {
  readonly type: DatabaseEventType
  readonly message: string
}

export type DatabaseEventType =
  /** The server can lose what it confirmed, and `allowUnsafe` lets it. At every start. */
  | 'unsafe'
  /** The start waits for the server, or for another node that migrates. */
  | 'waiting'
  | 'migrated'
  /** The first failed connect of an outage, and the first connect after it. */
  | 'unreachable'
  | 'reachable'
  /** A connection that answered neither its statement nor the cancel was given up. */
  | 'stuck'
  /** The tables could not be analysed: Postgres may keep plans made for small tables. */
  | 'unanalysed'
  /** A session whose settings may be old was given up. One for each session; those of one SQLSTATE have one text. */
  | 'stale'
  /** The embedded database ended after a failure; could not be opened anew, once a cause; was opened anew. */
  | 'ended'
  | 'unopened'
  | 'reopened'

export type OnDatabaseEvent = (event: DatabaseEvent) => void
