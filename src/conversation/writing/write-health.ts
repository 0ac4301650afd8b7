/**
 * Whether the database takes writes, learned from the writes themselves. Three failures in a row for
 * a cause of the database's start a probe; only the probe decides, and it writes a turn of its own. So
 * neither a busy conversation nor a broken one makes a node unready.
 */
import type { Events } from '../../events.ts'
import type { Database } from '../../ports/database.ts'
import { type DatabaseCode, databaseCodeOf } from '../sql/database-problems.ts'
import type { Effect } from './effects.ts'
import { type DatabaseState, databaseState, writeRefusal } from './probe.ts'

/** Where writers report failed writes. */
export type FailedWrites = Pick<WriteHealth, 'failed'>

export type WriteHealth = Disposable & {
  /** Each commit resets the count of consecutive failures. */
  readonly effect: Effect
  /** Records that `writes` writes failed with `thrown`. Lock waits and faults of the service do not count. */
  failed(thrown: unknown, writes: number): void
  /** Asks the database; where reads and writes work by its answer, the last probe's code counts for writes. Never rejects. */
  state(): Promise<DatabaseState>
}

export type WriteHealthOptions = {
  readonly database: Database
  readonly events: Pick<Events, 'writesLost' | 'writesBack' | 'workFailed'>
  /**
   * Milliseconds between two probes, give or take a quarter.
   * @default 2000
   */
  readonly everyMs?: number
}

/** Failures in a row that start the probe. */
const failuresMin = 3
/** Probes in a row that must succeed after one that failed. */
const successesMin = 2

export function createWriteHealth(options: WriteHealthOptions): WriteHealth {
  const { database, events, everyMs = 2000 } = options
  let failures = 0
  let refusal: DatabaseCode | undefined
  let successes = 0
  let isStopped = false
  let isProbing = false
  let timer: ReturnType<typeof setTimeout> | undefined
  let nextAt = 0

  const schedule = () => {
    if (isStopped || isProbing || timer !== undefined) return
    timer = setTimeout(() => void probe(), Math.max(0, nextAt - performance.now()))
    // It alone keeps no process alive.
    if (typeof timer === 'object') timer.unref()
  }

  const probe = async () => {
    timer = undefined
    isProbing = true
    const thrown = await writeRefusal(database)
    isProbing = false
    nextAt = performance.now() + everyMs * (0.75 + Math.random() / 2)
    judge(thrown)
    if (refusal !== undefined) schedule()
  }

  const judge = (thrown: unknown) => {
    const code = databaseCodeOf(thrown)
    if (code !== undefined) {
      successes = 0
      if (code !== refusal) events.writesLost(code, thrown)
      refusal = code
      return
    }
    // A lock wait, or a fault of the service: it tells nothing of whether the database takes writes.
    if (thrown !== undefined) return events.workFailed('write-probe', thrown)
    failures = 0
    if (refusal === undefined) return
    successes += 1
    if (successes < successesMin) return
    refusal = undefined
    successes = 0
    events.writesBack()
  }

  return {
    effect: {
      name: 'write-health',
      committed() {
        failures = 0
      },
    },
    failed(thrown, writes) {
      if (databaseCodeOf(thrown) === undefined) return
      failures += writes
      if (failures >= failuresMin) schedule()
    },
    async state() {
      const { reads, writes = refusal } = await databaseState(database)
      return { reads, writes }
    },
    [Symbol.dispose]() {
      isStopped = true
      clearTimeout(timer)
    },
  }
}
