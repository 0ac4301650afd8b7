/** The database port on PGlite: Postgres inside this process, for one process. */
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
  /** Made with mode 0700 where it is missing; holds the data and the lock. */
  readonly directory: string
  /** Milliseconds a statement may take, its turn included. It cannot be cancelled, though. */
  readonly deadlineMs: number
  readonly migrationsFolder?: string
  readonly onEvent?: OnDatabaseEvent
}

/** After so many statements the tables are analysed, then each time after twice as many... */
const analyseFirst = 500
/** ...but at least every so many. */
const analyseAtLeastEvery = 50_000

/** The first start of a directory takes some 5 s and 1 GB, later ones half a second. */
export async function openPglite(options: PgliteOptions): Promise<StartableDatabase> {
  const { directory, migrationsFolder = defaultMigrationsFolder, onEvent = () => {} } = options
  const place = `embedded Postgres in ${directory}`
  refuseForeignDirectory(directory)
  const unlock = lockDirectory(directory)
  const instance = await openInstance(directory, place, onEvent).catch((thrown: unknown) => {
    unlock()
    throw new StartRefusal(`The data in ${directory} cannot be opened: ${thrownText(thrown)}`)
  })
  const turns = createTurns(place)

  const ask = (text: string) => instance.query<object>(text, [])
  const verify = async () => {
    await verifyCode(ask, place)
    await verifySchema(ask, place, migrationsFolder)
  }

  // Nothing analyses an embedded database by itself, and plans made while its tables were small
  // would be kept for as long as the process lives.
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
    name: place,
    shared: false,
    async query<Row extends object>({ text, params }: Statement, given: QueryOptions = {}) {
      const values = params.map(paramText)
      const work = () => instance.query<Row>(text, values)
      const rows = await turns.take(work, given.deadlineMs ?? options.deadlineMs)
      analyseInTime()
      return rows
    },
    verify: () => turns.take(verify),
    migrate: () =>
      turns.take(async () => {
        await verifyCode(ask, place)
        const run = async () => {
          await migrate(drizzle(await instance.open()), { migrationsFolder }).catch(
            (thrown: unknown) => {
              throw migrationFailure(thrown, place)
            },
          )
        }
        const schema = `The schema of the ${place}`
        const message = await runMigrations(ask, { place, schema, folder: migrationsFolder, run })
        if (message !== undefined) onEvent({ type: 'migrated', message })
      }),
    [Symbol.asyncDispose]() {
      closing ??= close()
      return closing
    },
  }
}

/** One statement at a time, in order; what waits here has certainly not been sent. */
function createTurns(place: string) {
  let tail: Promise<unknown> = Promise.resolve()
  let closed = false

  return {
    async take<Result>(work: () => Promise<Result>, deadlineMs?: number) {
      const dueAt = performance.now() + (deadlineMs ?? Number.POSITIVE_INFINITY)
      const { promise, resolve, reject } = Promise.withResolvers<Result>()
      let started = false
      const giveUp = () => reject(late(place, started))
      const timer = deadlineMs === undefined ? undefined : setTimeout(giveUp, deadlineMs)
      const turn = async () => {
        if (closed) throw new DatabaseError('not-sent', `The ${place} was closed here`)
        // The timer may be due and not yet heard: a statement holds the whole thread.
        if (performance.now() >= dueAt) throw late(place, started)
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

const late = (place: string, started: boolean) =>
  started
    ? new DatabaseError('unknown', `The ${place} did not answer within the deadline`, slow)
    : new DatabaseError('not-sent', `The ${place} had no turn within the deadline`, slow)

const slow = { reason: 'slow' } as const
