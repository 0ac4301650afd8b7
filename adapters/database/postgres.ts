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

/** Connects when it has to: the server may be away now, and may go and come back later. */
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
      // The other URL may lead to another server, or to a user with settings of its own.
      if (migrateUrl !== url) await verifyPostgres({ ...start, url, serverName })
    },
    verify: () => verifyPostgres({ ...start, url, serverName }),
    [Symbol.asyncDispose]: () => pool.close(),
  }
}
