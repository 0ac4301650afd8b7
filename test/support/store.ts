/** A store and a reader over a database, with every commit that the effects received. */

import { Reader } from '../../src/conversation/reading/reader.ts'
import { createStore, type Store, type StoreOptions } from '../../src/conversation/store.ts'
import { type Commit, Effects } from '../../src/conversation/writing/effects.ts'
import { createEvents } from '../../src/events.ts'
import type { Database } from '../../src/ports/database.ts'
import { Problem, type ProblemCode } from '../../src/problem.ts'
import { exportedStatements, onlyExported } from './database/statements.ts'

export type OpenStore = AsyncDisposable & {
  readonly database: Database
  readonly store: Store
  readonly reader: Reader
  readonly commits: Commit[]
}

/**
 * Opens a store. Its database fails statements that no module of the domain exports, because only
 * exported ones are prepared in test/conversation/sql/statements.test.ts. Its bounds are small
 * enough to be reached. Disposing it also closes the database.
 */
export async function openStore(
  database: Database,
  bounds: Partial<StoreOptions['voice']> = {},
): Promise<OpenStore> {
  await database.migrate()
  const exported = new Set((await exportedStatements()).values())
  const guarded = onlyExported(database, exported)
  const commits: Commit[] = []
  const events = createEvents(() => {})
  const effects = new Effects(events)
  effects.register({ name: 'test', committed: (commit) => commits.push(commit) })
  const reader = new Reader(guarded, { historyMessagesMax: 20, changesBytesMax: 8000 })
  const store = createStore({
    database: guarded,
    reader,
    effects,
    events,
    writes: {
      lanes: 2,
      batchTurnsMax: 128,
      batchBytesMax: 1048576,
      waitingTurnsMax: 4096,
      waitingBytesMax: 67108864,
    },
    voice: {
      seatSeconds: 60,
      seatsMax: 5,
      heldAudioSeconds: 60,
      heldAudioMax: 4,
      sessionGraceSeconds: 60,
      ...bounds,
    },
    limits: { metadataBytesMax: 16384 },
    timeouts: { lockTimeoutMs: 700, deadlineMs: 5000 },
  })
  return {
    database,
    store,
    reader,
    commits,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]()
      await database[Symbol.asyncDispose]()
    },
  }
}

/** Returns the problem code of a refusal. */
export async function refusal(promise: Promise<unknown>): Promise<ProblemCode> {
  try {
    await promise
  } catch (error) {
    if (error instanceof Problem) return error.code
    throw error
  }
  throw new Error('nothing was refused')
}

export function some<T>(value: T | null | undefined): T {
  if (value === null || value === undefined) throw new Error('nothing was answered')
  return value
}
