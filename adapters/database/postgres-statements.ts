/**
 * PostgresStatements runs each statement on a connection of the pool, within the statement's
 * deadline.
 */

import { deadline, usableNow } from '../../src/mechanics/loop-delay.ts'
import { DatabaseError, type Statement } from '../../src/ports/database.ts'
import { isLastAnswer, statementFailure } from './failure.ts'
import type { Connection } from './postgres-connection.ts'
import type { Pool } from './postgres-pool.ts'
import type { OnDatabaseEvent } from './startable.ts'
import { paramText } from './values.ts'

export type PostgresStatementsOptions = {
  readonly pool: Pool
  /** The server's name in messages, without secrets. */
  readonly serverName: string
  readonly onEvent: OnDatabaseEvent
}

type Sent = { readonly text: string; readonly params: (string | null)[] }

/** Milliseconds that Postgres has to answer after a cancel. */
const cancelGraceMs = 250

/**
 * SQLSTATEs of refusals that another session may not get. A session keeps the settings that its
 * role, its database and its server had when it was opened: read-only, the search path, the rights
 * of a role.
 */
const sessionsFault = /^(25006|42501|42P01|42883|3F000)$/

/**
 * Milliseconds after its opening in which a session has current settings, so that its refusals
 * count.
 */
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

  /**
   * Runs a statement.
   * @param waitMs Milliseconds for the statement and for the wait for a connection.
   * @returns The rows.
   * @throws DatabaseError The statement failed, or `waitMs` passed.
   */
  async run<Row extends object>(statement: Statement, waitMs: number): Promise<Row[]> {
    const startedAt = performance.now()
    const dueAt = usableNow() + waitMs
    const sent = { text: statement.text, params: statement.params.map(paramText) }
    for (;;) {
      const connection = await this.#pool.take(Math.max(0, dueAt - usableNow()))
      // The connection became free while this process was busy. A statement sent now would be
      // cancelled at once.
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
   * Runs the statement on a connection that no other statement uses meanwhile. The result is
   * undefined if Postgres refused the statement because of the session's old settings and rolled it
   * back, so that it may run on another connection.
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
          // After a cancel the connection is not alive, and the pool closes it: a late cancel would
          // hit the next statement.
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

  /**
   * Returns the connection to the pool, or closes it if the old settings of its session may be the
   * reason for the failure. Only in the second case is the result true.
   */
  #refused(connection: Connection, thrown: unknown, failure: DatabaseError): boolean {
    if (isStale(connection, failure)) {
      this.#giveUpStale(connection, failure)
      return true
    }
    if (isLastAnswer(thrown)) this.#pool.discard(connection)
    else this.#pool.release(connection)
    return false
  }

  /**
   * Closes a connection with old settings. The text is the same for every session of an SQLSTATE,
   * because the log suppresses repeated lines, and counts them, by their text.
   */
  #giveUpStale(connection: Connection, { sqlState }: DatabaseError): void {
    this.#pool.discard(connection)
    this.#onEvent({
      type: 'stale',
      message: `${this.#serverName} answered SQLSTATE ${sqlState}: a session that may have old settings was closed`,
    })
  }

  #gaveUp(connection: Connection, startedAt: number): DatabaseError {
    this.#onEvent({
      type: 'stuck',
      message: `${this.#serverName} answered neither a statement nor its cancel`,
    })
    this.#pool.discard(connection)
    // Idle connections that have not answered since then are probably dead, too. Using each one to
    // find out would cost a deadline.
    this.#pool.distrust(startedAt)
    const text = `${this.#serverName} did not answer within the deadline`
    return new DatabaseError('unknown', text, { reason: 'slow' })
  }
}

/** Whether the refusal may come from settings that the session had when it was opened. */
const isStale = ({ openedAt }: Connection, { sqlState }: DatabaseError): boolean =>
  sessionsFault.test(sqlState ?? '') && performance.now() - openedAt >= freshMs
