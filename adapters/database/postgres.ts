/** The database port on a Postgres server, through postgres.js. */

import { deadline, usableNow } from '../../src/mechanics/loop-delay.ts'
import { DatabaseError, type QueryOptions, type Statement } from '../../src/ports/database.ts'
import { isLastAnswer, statementFailure } from './failure.ts'
import { defaultMigrationsFolder } from './migrations.ts'
import { type Connection, openConnection, readUrl } from './postgres-connection.ts'
import { migratePostgres, verifyPostgres } from './postgres-migrate.ts'
import { createPool } from './postgres-pool.ts'
import type { OnDatabaseEvent, StartableDatabase } from './startable.ts'
import { paramText } from './values.ts'

export type PostgresOptions = {
  readonly url: string
  /** For migrations, where `url` goes through a pooler without sessions. */
  readonly migrateUrl?: string
  readonly connectionsMax: number
  /** Whether statements are prepared on the server, once per connection. */
  readonly prepare: boolean
  /** Milliseconds a statement may take, waiting for a connection included. */
  readonly deadlineMs: number
  readonly connectTimeoutMs: number
  /** Seconds `migrate` and `verify` wait for the server, and `migrate` for another node's. */
  readonly startWaitSeconds: number
  /** Whether a server may run without fsync or full_page_writes. */
  readonly allowUnsafe: boolean
  readonly migrationsFolder?: string
  readonly onEvent?: OnDatabaseEvent
}

/** Milliseconds that a cancelled statement has to say what became of it. */
const cancelGraceMs = 250

/**
 * Refusals that may be the session's alone, which keeps what its role, its database or its server had
 * set when it was opened: read-only, the search path, the rights of a role.
 */
const sessionsFault = /^(25006|42501|42P01|42883|3F000)$/

/** Milliseconds after its opening in which a session is taken to have current settings: its refusal stands. */
const freshMs = 500

/** Connects when it has to: the server may be away now, and may go and come back later. */
export function openPostgres(options: PostgresOptions): StartableDatabase {
  const { url, migrateUrl = url, prepare, connectTimeoutMs, onEvent = () => {} } = options
  const { place } = readUrl(url)
  const pool = createPool({
    place,
    max: options.connectionsMax,
    connect: (onClose, signal) =>
      openConnection({ url, prepare, connectTimeoutMs }, onClose, signal),
    onEvent,
  })
  const start = {
    ...options,
    url: migrateUrl,
    place: readUrl(migrateUrl).place,
    migrationsFolder: options.migrationsFolder ?? defaultMigrationsFolder,
    onEvent,
  }

  const isStale = ({ openedAt }: Connection, { sqlState }: DatabaseError): boolean =>
    sessionsFault.test(sqlState ?? '') && performance.now() - openedAt >= freshMs

  /** The text is the same for every session of an SQLSTATE: the log counts the lines it leaves out by text. */
  const giveUpStale = (connection: Connection, { sqlState }: DatabaseError) => {
    pool.discard(connection)
    onEvent({
      type: 'stale',
      message: `${place} answered SQLSTATE ${sqlState}: a session that may have old settings was given up`,
    })
  }

  /**
   * Runs the statement on a connection that is ours until it answers or is given up. Undefined: it
   * was refused for the session's sake, rolled back, and may run on another.
   */
  const runOn = (
    connection: Connection,
    { text, params }: Sent,
    startedAt: number,
    dueAt: number,
  ) =>
    new Promise<object[] | undefined>((resolve, reject) => {
      let isLate = false
      const running = connection.run(text, params)
      const giveUp = () => {
        onEvent({ type: 'stuck', message: `${place} answered neither a statement nor its cancel` })
        pool.discard(connection)
        // What was silent just as long is likely as dead, and would cost a deadline each to find out.
        pool.distrust(startedAt)
        const text = `${place} did not answer within the deadline`
        reject(new DatabaseError('unknown', text, { reason: 'slow' }))
      }
      let stop = deadline(Math.max(0, dueAt - usableNow()), () => {
        isLate = true
        running.cancel()
        stop = deadline(cancelGraceMs, giveUp)
      })
      running.rows.then(
        (rows) => {
          stop()
          // Not alive once cancelled: a cancel that comes late would hit the next statement.
          pool.release(connection)
          resolve(rows)
        },
        (thrown) => {
          stop()
          const failure = statementFailure(thrown, place, isLate)
          if (isStale(connection, failure)) {
            giveUpStale(connection, failure)
            if (usableNow() < dueAt) return resolve(undefined)
          } else if (isLastAnswer(thrown)) pool.discard(connection)
          else pool.release(connection)
          reject(failure)
        },
      )
    })

  return {
    name: place,
    shared: true,
    async query<Row extends object>(statement: Statement, { deadlineMs }: QueryOptions = {}) {
      const startedAt = performance.now()
      const waitMs = deadlineMs ?? options.deadlineMs
      const dueAt = usableNow() + waitMs
      const sent = { text: statement.text, params: statement.params.map(paramText) }
      for (;;) {
        const connection = await pool.take(Math.max(0, dueAt - usableNow()))
        // This process was busy when it became free: sent now, it would be cancelled at once.
        if (usableNow() >= dueAt) {
          pool.release(connection)
          const text = `No connection to ${place} was free within ${Math.ceil(waitMs)} ms`
          throw new DatabaseError('not-sent', text, { reason: 'slow' })
        }
        const rows = await runOn(connection, sent, startedAt, dueAt)
        if (rows !== undefined) return rows as Row[]
      }
    },
    async migrate() {
      await migratePostgres(start)
      // The other URL may lead to another server, or to a user with settings of its own.
      if (migrateUrl !== url) await verifyPostgres({ ...start, url, place })
    },
    verify: () => verifyPostgres({ ...start, url, place }),
    [Symbol.asyncDispose]: () => pool.close(),
  }
}

type Sent = { readonly text: string; readonly params: (string | null)[] }
