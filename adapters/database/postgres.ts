/** The database port on a Postgres server, through postgres.js. */

import type { QueryOptions, Statement } from '../../src/ports/database.ts'
import { defaultMigrationsFolder } from './migrations.ts'
import { openConnection, readUrl } from './postgres-connection.ts'
import { migratePostgres, verifyPostgres } from './postgres-migrate.ts'
import { Pool } from './postgres-pool.ts'
import { PostgresStatements } from './postgres-statements.ts'
import type { OnDatabaseEvent, StartableDatabase } from './startable.ts'

export type PostgresOptions = {
  readonly url: string
  /** The URL for migrations. Set it if `url` leads to a pooler without sessions. @default url */
  readonly migrateUrl?: string
  readonly connectionsMax: number
  /** Whether statements are prepared on the server, once for each connection. */
  readonly prepare: boolean
  /** Milliseconds that a statement may take. The wait for a connection counts. */
  readonly deadlineMs: number
  /** Milliseconds that a connect may take. */
  readonly connectTimeoutMs: number
  /**
   * Seconds that `migrate` and `verify` wait for the server, and `migrate` for another node's
   * migration.
   */
  readonly startWaitSeconds: number
  /** Whether a server may run without fsync or full_page_writes. */
  readonly allowUnsafe: boolean
  readonly migrationsFolder?: string
  readonly onEvent?: OnDatabaseEvent
}

/**
 * Opens the port without connecting. It connects when a call needs it, and again after each outage.
 */
export function openPostgres(options: PostgresOptions): StartableDatabase {
  const { url, migrateUrl = url, prepare, connectTimeoutMs, onEvent = () => {} } = options
  const { serverName } = readUrl(url)
  const pool = new Pool({
    serverName,
    max: options.connectionsMax,
    connect: (onClose, signal) =>
      openConnection({ url, prepare, connectTimeoutMs }, onClose, signal),
    onEvent,
  })
  const statements = new PostgresStatements({ pool, serverName, onEvent })
  const start = {
    ...options,
    url: migrateUrl,
    serverName: readUrl(migrateUrl).serverName,
    migrationsFolder: options.migrationsFolder ?? defaultMigrationsFolder,
    onEvent,
  }
  return {
    name: serverName,
    shared: true,
    query: <Row extends object>(statement: Statement, { deadlineMs }: QueryOptions = {}) =>
      statements.run<Row>(statement, deadlineMs ?? options.deadlineMs),
    async migrate() {
      await migratePostgres(start)
      // The two URLs may lead to different servers, or to users with different settings.
      if (migrateUrl !== url) await verifyPostgres({ ...start, url, serverName })
    },
    verify: () => verifyPostgres({ ...start, url, serverName }),
    [Symbol.asyncDispose]: () => pool.close(),
  }
}
