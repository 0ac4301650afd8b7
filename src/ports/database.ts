/**
 * The database port: one Postgres, wherever it runs. The SQL exists once, in the domain; an adapter
 * only carries it.
 *
 * Guarantees of every adapter:
 * - `query` runs one statement, autocommitted. It settles within its deadline, whatever the server
 *   or the network does.
 * - A failure is a `DatabaseError` that says what is known of the statement's outcome. A statement
 *   that was certainly not committed is never reported as `unknown`, unless that cannot be told.
 * - After the server was away, queries work again by themselves; nothing has to be reopened. Nor does a
 *   session keep what it was opened with: once a role or a server takes writes again, so do queries.
 * - Rows come with these JavaScript types, and no other: int8 and int4 as number (the domain's
 *   counters stay below 2^53), timestamptz as text in UTC (`2026-11-23 09:30:00.123456+00`), jsonb
 *   parsed, text[] as array of string or null, uuid and text as string, bool as boolean.
 * - Parameters are text, number, boolean, null, arrays of text; JSON is passed as its text and cast
 *   in the statement.
 */
export interface Database extends AsyncDisposable {
  /** Where it is, without secrets: for logs and health. */
  readonly name: string
  /** Whether other processes can write to the same database. */
  readonly shared: boolean

  query<Row extends object>(statement: Statement, options?: QueryOptions): Promise<Row[]>

  /** Brings the schema up to date, safely beside other nodes doing the same. */
  migrate(): Promise<void>
}

/** A statement's text with `$1`-style parameters, sent as they are. */
export type Statement = {
  readonly text: string
  readonly params: readonly Param[]
}

export type Param = string | number | boolean | null | readonly (string | null)[]

export type QueryOptions = {
  /** Milliseconds until the statement is given up and cancelled; the adapter's setting without. */
  readonly deadlineMs?: number
}

/**
 * What is known of a failed statement:
 * - `refused`: Postgres answered an error; the statement was rolled back. Has an SQLSTATE.
 * - `not-sent`: no connection could be had; nothing ran.
 * - `unknown`: the connection or the deadline was lost in between; it may have committed, or may yet.
 */
export type Outcome = 'refused' | 'not-sent' | 'unknown'

/**
 * Why a statement failed, as far as an operator can change it:
 * - `unreachable`: no connection could be had, or it was lost.
 * - `slow`: no answer, or no free connection, within the deadline.
 * - `full`: the disk of the database has no space left.
 * - `read-only`: the database, the role or the session takes no writes.
 * - `refused`: the database answered anything else.
 */
export type FailureReason = 'unreachable' | 'slow' | 'full' | 'read-only' | 'refused'

export class DatabaseError extends Error {
  override readonly name = 'DatabaseError'
  readonly outcome: Outcome
  /** `refused` with an SQLSTATE and `unreachable` without, unless the adapter says otherwise. */
  readonly reason: FailureReason
  /** SQLSTATE, where Postgres answered one. */
  readonly sqlState: string | undefined
  readonly constraint: string | undefined

  constructor(
    outcome: Outcome,
    message: string,
    options: {
      reason?: FailureReason
      sqlState?: string
      constraint?: string
      cause?: unknown
    } = {},
  ) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    this.outcome = outcome
    this.reason = options.reason ?? (options.sqlState === undefined ? 'unreachable' : 'refused')
    this.sqlState = options.sqlState
    this.constraint = options.constraint
  }
}

/** The SQLSTATE that Postgres answered, of an error or of what caused it; undefined where it answered none. */
export function sqlStateOf(error: unknown): string | undefined {
  for (let one = error; one instanceof Error; one = one.cause)
    if (one instanceof DatabaseError) return one.sqlState
  return undefined
}

/** Why a start is refused: one sentence for the operator, who alone can change it. */
export class StartRefusal extends Error {
  override readonly name = 'StartRefusal'
}
