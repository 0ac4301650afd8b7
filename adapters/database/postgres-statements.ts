/** PostgresStatements runs each statement on a connection of the pool, within its deadline. */

import { deadline, usableNow } from '../../src/mechanics/loop-delay.ts'
import { DatabaseError, type Statement } from '../../src/ports/database.ts'
import { isLastAnswer, statementFailure } from './failure.ts'
import type { Connection } from './postgres-connection.ts'
import type { Pool } from './postgres-pool.ts'
import type { OnDatabaseEvent } from './startable.ts'
import { paramText } from './values.ts'

export type PostgresStatementsOptions = {
  readonly pool: Pool
  /** Without secrets, for messages. */
  readonly serverName: string
  readonly onEvent: OnDatabaseEvent
}

type Sent = { readonly text: string; readonly params: (string | null)[] }

/** Milliseconds that a cancelled statement has to say what became of it. */
const cancelGraceMs = 250

/**
 * Refusals that may be the session's alone, which keeps what its role, its database or its server had
 * set when it was opened: read-only, the search path, the rights of a role.
 */
const sessionsFault = /^(25006|42501|42P01|42883|3F000)$/

/** Milliseconds after its opening in which a session is taken to have current settings: its refusal stands. */
const freshMs = 500

export class PostgresStatements {
  readonly #pool: Pool
  readonly #serverName: string
  readonly #onEvent: OnDatabaseEvent

  constructor({ pool, serverName, onEvent }: PostgresStatementsOptions) {
    this.#pool = pool
    this.#serverName = serverName
    this.#onEvent = onEvent
  }

  /** The rows, within `waitMs`, waiting for a connection included. Rejects with a `DatabaseError`. */
  async run<Row extends object>(statement: Statement, waitMs: number): Promise<Row[]> {
    const startedAt = performance.now()
    const dueAt = usableNow() + waitMs
    const sent = { text: statement.text, params: statement.params.map(paramText) }
    for (;;) {
      const connection = await this.#pool.take(Math.max(0, dueAt - usableNow()))
      // This process was busy when it became free: sent now, it would be cancelled at once.
      if (usableNow() >= dueAt) {
        this.#pool.release(connection)
        const text = `No connection to ${this.#serverName} was free within ${Math.ceil(waitMs)} ms`
        throw new DatabaseError('not-sent', text, { reason: 'slow' })
      }
      const rows = await this.#runOn(connection, sent, startedAt, dueAt)
      if (rows !== undefined) return rows as Row[]
    }
  }

  /**
   * Runs the statement on a connection that is ours until it answers or is given up. Undefined: it
   * was refused for the session's sake, rolled back, and may run on another.
   */
  #runOn(
    connection: Connection,
    { text, params }: Sent,
    startedAt: number,
    dueAt: number,
  ): Promise<object[] | undefined> {
    return new Promise((resolve, reject) => {
      let isLate = false
      const running = connection.run(text, params)
      const giveUp = () => reject(this.#gaveUp(connection, startedAt))
      let stop = deadline(Math.max(0, dueAt - usableNow()), () => {
        isLate = true
        running.cancel()
        stop = deadline(cancelGraceMs, giveUp)
      })
      running.rows.then(
        (rows) => {
          stop()
          // Not alive once cancelled: a cancel that comes late would hit the next statement.
          this.#pool.release(connection)
          resolve(rows)
        },
        (thrown) => {
          stop()
          const failure = statementFailure(thrown, this.#serverName, isLate)
          const mayRunAgain = this.#refused(connection, thrown, failure) && usableNow() < dueAt
          if (mayRunAgain) resolve(undefined)
          else reject(failure)
        },
      )
    })
  }

  /** Gives the connection back, or up where its session may be the reason: only then is the answer true. */
  #refused(connection: Connection, thrown: unknown, failure: DatabaseError): boolean {
    if (isStale(connection, failure)) {
      this.#giveUpStale(connection, failure)
      return true
    }
    if (isLastAnswer(thrown)) this.#pool.discard(connection)
    else this.#pool.release(connection)
    return false
  }

  /** The text is the same for every session of an SQLSTATE: the log counts the lines it leaves out by text. */
  #giveUpStale(connection: Connection, { sqlState }: DatabaseError): void {
    this.#pool.discard(connection)
    this.#onEvent({
      type: 'stale',
      message: `${this.#serverName} answered SQLSTATE ${sqlState}: a session that may have old settings was given up`,
    })
  }

  #gaveUp(connection: Connection, startedAt: number): DatabaseError {
    this.#onEvent({
      type: 'stuck',
      message: `${this.#serverName} answered neither a statement nor its cancel`,
    })
    this.#pool.discard(connection)
    // What was silent just as long is likely as dead, and would cost a deadline each to find out.
    this.#pool.distrust(startedAt)
    const text = `${this.#serverName} did not answer within the deadline`
    return new DatabaseError('unknown', text, { reason: 'slow' })
  }
}

/** Whether the refusal may be due to settings that the session had when it was opened. */
const isStale = ({ openedAt }: Connection, { sqlState }: DatabaseError): boolean =>
  sessionsFault.test(sqlState ?? '') && performance.now() - openedAt >= freshMs
