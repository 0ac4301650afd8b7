/**
 * The database port: one Postgres, on a server or inside this process. The domain holds the SQL; an
 * adapter only carries it to Postgres.
 *
 * Guarantees of every adapter:
 * - `query` runs one statement as one transaction, which commits by itself. The promise settles
 *   within the statement's deadline, whatever the server or the network does.
 * - A failed `query` rejects with a `DatabaseError`, whose `outcome` is all that is known of the
 *   statement. The outcome is `unknown` only if the adapter cannot know whether Postgres committed.
 * - Queries work again by themselves after an outage of the server: the caller reopens nothing.
 * - Queries follow changed settings of the server: once a role or a server accepts writes again,
 *   queries write again, also on connections that were opened before.
 * - Row values have these JavaScript types and no others: int8 and int4 are numbers (the domain's
 *   counters stay below 2^53), timestamptz is text in UTC (`2026-11-23 09:30:00.123456+00`), jsonb
 *   is the parsed value, text[] is an array of strings and nulls, uuid and text are strings, bool
 *   is a boolean.
 * - Parameters are text, numbers, booleans, null and arrays of text. JSON is passed as text, and
 *   the statement casts it.
 */
export interface Database extends AsyncDisposable {
  /** The server or the directory, without secrets: for logs and health. */
  readonly name: string
  /** Whether other processes can write to the same database. */
  readonly shared: boolean

  /**
   * Runs one statement.
   * @param statement The text and its parameters.
   * @param options The deadline of this statement.
   * @returns The rows. `Row` describes their columns; the adapter does not check it.
   * @throws DatabaseError The statement failed, or its deadline passed.
   */
  query<Row extends object>(statement: Statement, options?: QueryOptions): Promise<Row[]>

  /**
   * Runs the migrations that the schema lacks. Several nodes may call it at the same time.
   * @throws StartRefusal This release cannot run on the database, or cannot migrate it.
   * @throws DatabaseError A migration failed.
   */
  migrate(): Promise<void>
}

/** A statement. Its text has parameters in the form `$1`, and goes to Postgres unchanged. */
export type Statement = {
  readonly text: string
  /** The parameter `$1` is the first. */
  readonly params: readonly Param[]
}

/** A parameter. It is sent as text, and Postgres converts it. */
export type Param = string | number | boolean | null | readonly (string | null)[]

/** Options of one statement. */
export type QueryOptions = {
  /**
   * Milliseconds after which the statement is cancelled and rejects. The wait for a connection
   * counts.
   * @default The deadline that the adapter was opened with.
   */
  readonly deadlineMs?: number
}

/**
 * The known outcome of a failed statement:
 * - `refused`: Postgres answered with an error and rolled the statement back. There is an SQLSTATE.
 * - `not-sent`: there was no connection for the statement. Nothing ran.
 * - `unknown`: the connection was lost or the deadline passed before the answer. Postgres may have
 *   committed the statement, or may still commit it.
 */
export type Outcome = 'refused' | 'not-sent' | 'unknown'

/**
 * The reason of a failed statement, for an operator who has to mend it:
 * - `unreachable`: no connection could be made, or the connection was lost.
 * - `slow`: no answer arrived, or no connection was free, within the deadline.
 * - `full`: the disk of the database has no space left.
 * - `read-only`: the database, the role or the session does not accept writes.
 * - `refused`: the database answered with any other error.
 */
export type FailureReason = 'unreachable' | 'slow' | 'full' | 'read-only' | 'refused'

/** A statement failed. The message names the server and holds no secrets. */
export class DatabaseError extends Error {
  override readonly name = 'DatabaseError'
  readonly outcome: Outcome
  /** Why it failed. @default `refused` with an SQLSTATE, `unreachable` without one. */
  readonly reason: FailureReason
  /** The SQLSTATE of Postgres' answer; undefined if Postgres did not answer. */
  readonly sqlState: string | undefined
  /** The constraint that the statement broke; undefined if it broke none. */
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

/**
 * Finds the SQLSTATE of an error, or of the errors that caused it.
 * @returns The SQLSTATE; undefined if Postgres answered none.
 */
export function sqlStateOf(error: unknown): string | undefined {
  for (let one = error; one instanceof Error; one = one.cause)
    if (one instanceof DatabaseError) return one.sqlState
  return undefined
}

/** The service cannot start. The message is one sentence for the operator: why, and what to do. */
export class StartRefusal extends Error {
  override readonly name = 'StartRefusal'
}
