/**
 * Migrates or verifies the schema of a Postgres server. Several nodes may do it at the same time.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { drizzle } from 'drizzle-orm/postgres-js'
import { migrate } from 'drizzle-orm/postgres-js/migrator'
import { DatabaseError, StartRefusal } from '../../src/ports/database.ts'
import type { Ask } from './ask.ts'
import { migrationFailure } from './failure.ts'
import { isMigrated, runMigrations, verifyCode, verifySchema, verifyServer } from './migrations.ts'
import { type Connection, openConnection } from './postgres-connection.ts'
import { postgresTlsMismatch } from './postgres-tls.ts'
import type { OnDatabaseEvent } from './startable.ts'

export type StartOptions = {
  readonly url: string
  readonly serverName: string
  readonly connectTimeoutMs: number
  readonly startWaitSeconds: number
  readonly allowUnsafe: boolean
  readonly migrationsFolder: string
  readonly onEvent: OnDatabaseEvent
}

/** The advisory lock that a node holds while it migrates ("turn" in ASCII). */
const migrationLock = 0x7475726e

/** Milliseconds for each query of a start, except for the migrations themselves. */
const askMs = 10_000

/** Milliseconds between two attempts to connect, or to take the lock. */
const lookMs = 200

/** Checks that this release can run on the server's database. Throws a `StartRefusal` if not. */
export async function verifyPostgres(options: StartOptions): Promise<void> {
  const { serverName, migrationsFolder } = options
  await withConnection(options, async (ask) => {
    await verifyServer(ask, options)
    await verifyCode(ask, serverName)
    await verifySchema(ask, serverName, migrationsFolder)
  })
}

/** Checks the server and runs the missing migrations. Throws a `StartRefusal` if it cannot. */
export async function migratePostgres(options: StartOptions): Promise<void> {
  const { serverName, migrationsFolder, onEvent } = options
  await withConnection(options, async (ask, { client }) => {
    await verifyServer(ask, options)
    await verifyCode(ask, serverName)
    // Usually no migration is missing. The start then needs no right to change the schema.
    if (await isMigrated(ask, migrationsFolder)) return
    await lock(ask, options)
    try {
      const run = () =>
        migrate(drizzle(client), { migrationsFolder }).catch((thrown: unknown) => {
          throw rightsRefusal(thrown, serverName)
        })
      const schema = `The schema of ${serverName}`
      const message = await runMigrations(ask, {
        serverName,
        schema,
        folder: migrationsFolder,
        run,
      })
      if (message === undefined) return
      onEvent({ type: 'migrated', message })
    } finally {
      // The lock also ends with the session, but a pooler may keep the session open.
      await ask(`select pg_advisory_unlock(${migrationLock})`).catch(() => {})
    }
    await verifyCode(ask, serverName)
  })
}

/** The SQLSTATEs that Postgres answers to a user without CREATE, and to a user without a usable schema. */
const mayNotCreate = /^(42501|3F000)$/

/** Gives a failed migration of a user who may not change the schema the sentence of `turnlog doctor`. */
function rightsRefusal(thrown: unknown, serverName: string): unknown {
  const failure = migrationFailure(thrown, serverName)
  if (!(failure instanceof DatabaseError) || !mayNotCreate.test(failure.sqlState ?? ''))
    return thrown
  return new StartRefusal(
    `The schema of ${serverName} does not exist yet or is older than this release, and this user may not create it: grant CREATE on the database and its schema, or set MIGRATE_DATABASE_URL to a user who may.`,
  )
}

/**
 * Takes the lock by polling. A wait inside Postgres would need a cancel and a setting of the
 * session.
 */
async function lock(
  ask: Ask,
  { serverName, startWaitSeconds, onEvent }: StartOptions,
): Promise<void> {
  const until = performance.now() + startWaitSeconds * 1000
  for (let looks = 0; ; looks++) {
    const [row] = await ask(`select pg_try_advisory_lock(${migrationLock}) as ours`)
    if (row !== undefined && 'ours' in row && row.ours === true) return
    if (performance.now() > until) {
      throw new StartRefusal(
        `Another node has been migrating ${serverName} for more than ${startWaitSeconds} s: wait for it, or end its session.`,
      )
    }
    if (looks === 0)
      onEvent({ type: 'waiting', message: `Another node is migrating ${serverName}` })
    await sleep(lookMs)
  }
}

async function withConnection(
  options: StartOptions,
  work: (ask: Ask, connection: Connection) => Promise<void>,
): Promise<void> {
  const connection = await connectPatiently(options)
  const ask = async (text: string) => {
    // These queries are short: without an answer in this time, none will arrive. A migration, which
    // may be long, does not run through `ask`.
    const timer = setTimeout(() => connection.close(), askMs)
    return await connection.run(text, []).rows.finally(() => clearTimeout(timer))
  }
  try {
    await work(ask, connection)
  } catch (thrown) {
    throw migrationFailure(thrown, options.serverName)
  } finally {
    connection.close()
  }
}

/**
 * Connects, and waits for a server that is still starting. It gives up at once if the server
 * refuses the user or the database.
 */
async function connectPatiently(options: StartOptions): Promise<Connection> {
  const { url, serverName, connectTimeoutMs, startWaitSeconds, onEvent } = options
  const until = performance.now() + startWaitSeconds * 1000
  for (let looks = 0; ; looks++) {
    try {
      return await openConnection({ url, prepare: false, connectTimeoutMs })
    } catch (thrown) {
      if (!(thrown instanceof DatabaseError)) throw thrown
      if (/^(28|3D)/.test(thrown.sqlState ?? '')) {
        const advice = /no encryption/.test(thrown.message)
          ? 'if the server requires TLS, add ?sslmode=require to the database URL'
          : 'check the database URL'
        throw new StartRefusal(`${thrown.message}: ${advice}.`)
      }
      const mismatch = looks === 0 ? await postgresTlsMismatch(url) : undefined
      if (mismatch !== undefined)
        throw new StartRefusal(`${serverName} cannot be used: ${mismatch}.`)
      if (performance.now() > until) {
        throw new StartRefusal(
          `${thrown.message}, for more than ${startWaitSeconds} s: check that the server at the database URL runs.`,
        )
      }
      if (looks === 0)
        onEvent({ type: 'waiting', message: `${thrown.message}; waiting for ${serverName}` })
    }
    await sleep(lookMs)
  }
}
