/** Brings a Postgres server's schema up to date, beside other nodes that do the same. */
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
  readonly place: string
  readonly connectTimeoutMs: number
  readonly startWaitSeconds: number
  readonly allowUnsafe: boolean
  readonly migrationsFolder: string
  readonly onEvent: OnDatabaseEvent
}

/** The advisory lock that nodes migrate under ("turn" in ASCII). */
const migrationLock = 0x7475726e

/** Milliseconds for each question a start asks. */
const askMs = 10_000

/** Milliseconds between two looks at what a start waits for. */
const lookMs = 200

export async function verifyPostgres(options: StartOptions): Promise<void> {
  const { place, migrationsFolder } = options
  await withConnection(options, async (ask) => {
    await verifyServer(ask, options)
    await verifyCode(ask, place)
    await verifySchema(ask, place, migrationsFolder)
  })
}

export async function migratePostgres(options: StartOptions): Promise<void> {
  const { place, migrationsFolder, onEvent } = options
  await withConnection(options, async (ask, { client }) => {
    await verifyServer(ask, options)
    await verifyCode(ask, place)
    // Usually nothing is to be done, and then no right to change the schema is needed either.
    if (await isMigrated(ask, migrationsFolder)) return
    await lock(ask, options)
    try {
      const run = () =>
        migrate(drizzle(client), { migrationsFolder }).catch((thrown: unknown) => {
          throw rightsRefusal(thrown, place)
        })
      const schema = `The schema of ${place}`
      const message = await runMigrations(ask, { place, schema, folder: migrationsFolder, run })
      if (message === undefined) return
      onEvent({ type: 'migrated', message })
    } finally {
      // Also ends with the session, which is over soon; a pooler may hold that longer.
      await ask(`select pg_advisory_unlock(${migrationLock})`).catch(() => {})
    }
    await verifyCode(ask, place)
  })
}

/** The SQLSTATEs that Postgres answers to a user without CREATE, and to a user without a usable schema. */
const mayNotCreate = /^(42501|3F000)$/

/** Gives a failed migration of a user who may not change the schema the sentence of `turnlog doctor`. */
function rightsRefusal(thrown: unknown, place: string): unknown {
  const failure = migrationFailure(thrown, place)
  if (!(failure instanceof DatabaseError) || !mayNotCreate.test(failure.sqlState ?? ''))
    return thrown
  return new StartRefusal(
    `The schema of ${place} does not exist yet or is older than this release, and this user may not create it: grant CREATE on the database and its schema, or set MIGRATE_DATABASE_URL to a user who may.`,
  )
}

/** Polls instead of waiting inside Postgres: nothing to cancel, and no session setting to make. */
async function lock(ask: Ask, { place, startWaitSeconds, onEvent }: StartOptions): Promise<void> {
  const until = performance.now() + startWaitSeconds * 1000
  for (let looks = 0; ; looks++) {
    const [row] = await ask(`select pg_try_advisory_lock(${migrationLock}) as ours`)
    if (row !== undefined && 'ours' in row && row.ours === true) return
    if (performance.now() > until) {
      throw new StartRefusal(
        `Another node has been migrating ${place} for more than ${startWaitSeconds} s: wait for it, or end its session.`,
      )
    }
    if (looks === 0) onEvent({ type: 'waiting', message: `Another node is migrating ${place}` })
    await sleep(lookMs)
  }
}

async function withConnection(
  options: StartOptions,
  work: (ask: Ask, connection: Connection) => Promise<void>,
): Promise<void> {
  const connection = await connectPatiently(options)
  const ask = async (text: string) => {
    // What a start asks is answered at once or never. A migration itself may take its time.
    const timer = setTimeout(() => connection.close(), askMs)
    return await connection.run(text, []).rows.finally(() => clearTimeout(timer))
  }
  try {
    await work(ask, connection)
  } catch (thrown) {
    throw migrationFailure(thrown, options.place)
  } finally {
    connection.close()
  }
}

/** Waits for a server that is starting beside us; not for one that knows us and says no. */
async function connectPatiently(options: StartOptions): Promise<Connection> {
  const { url, place, connectTimeoutMs, startWaitSeconds, onEvent } = options
  const until = performance.now() + startWaitSeconds * 1000
  for (let looks = 0; ; looks++) {
    try {
      return await openConnection({ url, prepare: false, connectTimeoutMs })
    } catch (thrown) {
      if (!(thrown instanceof DatabaseError)) throw thrown
      if (/^(28|3D)/.test(thrown.sqlState ?? '')) {
        const advice = /no encryption/.test(thrown.message)
          ? 'where the server wants TLS, add ?sslmode=require to the database URL'
          : 'check the database URL'
        throw new StartRefusal(`${thrown.message}: ${advice}.`)
      }
      const mismatch = looks === 0 ? await postgresTlsMismatch(url) : undefined
      if (mismatch !== undefined) throw new StartRefusal(`${place} cannot be used: ${mismatch}.`)
      if (performance.now() > until) {
        throw new StartRefusal(
          `${thrown.message}, and this for ${startWaitSeconds} s: check that the server at the database URL runs.`,
        )
      }
      if (looks === 0)
        onEvent({ type: 'waiting', message: `${thrown.message}; waiting for ${place}` })
    }
    await sleep(lookMs)
  }
}
