/** The database port on PGlite: a Postgres inside this process, which no other process can use. */
import { drizzle } from 'drizzle-orm/pglite'
import { migrate } from 'drizzle-orm/pglite/migrator'
import { thrownText } from '../../src/mechanics/thrown-text.ts'
import {
  DatabaseError,
  type QueryOptions,
  StartRefusal,
  type Statement,
} from '../../src/ports/database.ts'
import { lockDirectory } from './directory-lock.ts'
import { refuseForeignDirectory } from './directory-state.ts'
import { migrationFailure } from './failure.ts'
import { defaultMigrationsFolder, runMigrations, verifyCode, verifySchema } from './migrations.ts'
import { openInstance } from './pglite-instance.ts'
import type { OnDatabaseEvent, StartableDatabase } from './startable.ts'
import { paramText } from './values.ts'

export type PgliteOptions = {
  /** The directory of the data and of the lock. A missing one is made with mode 0700. */
  readonly directory: string
  /**
   * Milliseconds that a statement may take. The wait for its turn counts. PGlite cannot cancel it.
   */
  readonly deadlineMs: number
  readonly migrationsFolder?: string
  readonly onEvent?: OnDatabaseEvent
}

/** The number of statements before the first analysis. It doubles with each analysis... */
const analyseFirst = 500
/** ...but at most this number of statements passes between two analyses. */
const analyseAtLeastEvery = 50_000

/**
 * Opens a directory, and locks it until the database is disposed. The first start on a directory
 * takes some 5 s and 1 GB of memory, later starts half a second.
 * @throws StartRefusal The directory is in use, belongs to other software, or cannot be opened.
 */
export async function openPglite(options: PgliteOptions): Promise<StartableDatabase> {
  const { directory, migrationsFolder = defaultMigrationsFolder, onEvent = () => {} } = options
  const serverName = `embedded Postgres in ${directory}`
  refuseForeignDirectory(directory)
  const unlock = lockDirectory(directory)
  const instance = await openInstance(directory, serverName, onEvent).catch((thrown: unknown) => {
    unlock()
    throw new StartRefusal(`The data in ${directory} cannot be opened: ${thrownText(thrown)}`)
  })
  const turns = createTurns(serverName)

  const ask = (text: string) => instance.query<object>(text, [])
  const verify = async () => {
    await verifyCode(ask, serverName)
    await verifySchema(ask, serverName, migrationsFolder)
  }

  // PGlite has no autovacuum that analyses tables. Without an analysis, Postgres would keep the
  // plans that it made while the tables were small until the process ends.
  let statements = 0
  let analyseAt = analyseFirst
  const analyseInTime = () => {
    statements += 1
    if (statements < analyseAt) return
    analyseAt = Math.min(analyseAt * 2, analyseAt + analyseAtLeastEvery)
    void turns
      .take(() => ask('analyze'))
      .catch(({ message }: Error) => {
        if (closing !== undefined) return
        onEvent({ type: 'unanalysed', message: `The tables could not be analysed: ${message}` })
      })
  }

  let closing: Promise<void> | undefined
  const close = async () => {
    await turns.close()
    try {
      await instance.close()
    } finally {
      unlock()
    }
  }

  return {
    name: serverName,
    shared: false,
    async query<Row extends object>(
      { text, params }: Statement,
      { deadlineMs }: QueryOptions = {},
    ) {
      const values = params.map(paramText)
      const work = () => instance.query<Row>(text, values)
      const rows = await turns.take(work, deadlineMs ?? options.deadlineMs)
      analyseInTime()
      return rows
    },
    verify: () => turns.take(verify),
    migrate: () =>
      turns.take(async () => {
        await verifyCode(ask, serverName)
        const run = async () => {
          await migrate(drizzle(await instance.open()), { migrationsFolder }).catch(
            (thrown: unknown) => {
              throw migrationFailure(thrown, serverName)
            },
          )
        }
        const schema = `The schema of the ${serverName}`
        const message = await runMigrations(ask, {
          serverName,
          schema,
          folder: migrationsFolder,
          run,
        })
        if (message !== undefined) onEvent({ type: 'migrated', message })
      }),
    [Symbol.asyncDispose]() {
      closing ??= close()
      return closing
    },
  }
}

/**
 * Runs one statement at a time, in their order. A statement that still waits has certainly not run.
 */
function createTurns(serverName: string) {
  let tail: Promise<unknown> = Promise.resolve()
  let closed = false

  return {
    async take<Result>(work: () => Promise<Result>, deadlineMs?: number) {
      const dueAt = performance.now() + (deadlineMs ?? Number.POSITIVE_INFINITY)
      const { promise, resolve, reject } = Promise.withResolvers<Result>()
      let started = false
      const giveUp = () => reject(late(serverName, started))
      const timer = deadlineMs === undefined ? undefined : setTimeout(giveUp, deadlineMs)
      const turn = async () => {
        if (closed) throw new DatabaseError('not-sent', `The ${serverName} was closed here`)
        // The timer may be due without having fired, because a statement blocks the whole thread.
        if (performance.now() >= dueAt) throw late(serverName, started)
        started = true
        return await work()
      }
      tail = tail
        .then(turn)
        .then(resolve, reject)
        .finally(() => clearTimeout(timer))
      return await promise
    },
    async close() {
      closed = true
      await tail
    },
  }
}

const late = (serverName: string, started: boolean) =>
  started
    ? new DatabaseError('unknown', `The ${serverName} did not answer within the deadline`, slow)
    : new DatabaseError('not-sent', `The ${serverName} had no turn within the deadline`, slow)

const slow = { reason: 'slow' } as const
