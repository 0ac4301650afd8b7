/**
 * The connections to one Postgres. A caller holds a connection for one statement, and a caller
 * still waiting here has certainly sent nothing. Whatever is in doubt is closed and made anew:
 * a connection is cheap, a wrong outcome is not.
 */
import { equalJitterMs } from '../../src/mechanics/backoff.ts'
import { deadline } from '../../src/mechanics/loop-delay.ts'
import { DatabaseError } from '../../src/ports/database.ts'
import type { Connection } from './postgres-connection.ts'
import type { OnDatabaseEvent } from './startable.ts'

export type PoolOptions = {
  /** Without secrets, for messages. */
  readonly place: string
  readonly max: number
  readonly connect: (
    onClose: (connection: Connection) => void,
    signal: AbortSignal,
  ) => Promise<Connection>
  readonly onEvent: OnDatabaseEvent
}

export type Pool = {
  /** An idle connection, else the next one to be free. Rejects with `not-sent`. */
  take(waitMs: number): Connection | Promise<Connection>
  /** Gives back a connection that has answered. */
  release(connection: Connection): void
  /** Closes a connection in doubt. */
  discard(connection: Connection): void
  /** Closes the idle connections that have not answered since then (`performance.now()`). */
  distrust(since: number): void
  /** Refuses what waits, waits for what runs, closes all. */
  close(): Promise<void>
}

type Waiter = { resolve(connection: Connection): void; reject(error: unknown): void }

/** Gaps without a new attempt after failed connects. */
const attemptGaps = { firstMs: 50, maxMs: 400 }

export function createPool({ place, max, connect, onEvent }: PoolOptions): Pool {
  const idle: { connection: Connection; answeredAt: number }[] = []
  const busy = new Set<Connection>()
  const waiters = new Set<Waiter>()
  const closing = new AbortController()
  const drained = Promise.withResolvers<void>()
  let connecting = 0
  let failures = 0
  let failure: unknown
  let nextAttemptAt = 0
  let retry: ReturnType<typeof setTimeout> | undefined

  const refuse = (waiter: Waiter, error: unknown) => {
    waiters.delete(waiter)
    waiter.reject(error)
  }

  const offer = (connection: Connection) => {
    const [waiter] = waiters
    if (!connection.alive() || closing.signal.aborted) return connection.close()
    if (performance.now() > connection.expiresAt) return connection.close()
    if (waiter === undefined) {
      idle.push({ connection, answeredAt: performance.now() })
      return
    }
    waiters.delete(waiter)
    busy.add(connection)
    waiter.resolve(connection)
  }

  const onClose = (connection: Connection) => {
    const at = idle.findIndex((entry) => entry.connection === connection)
    if (at >= 0) idle.splice(at, 1)
  }

  const attempt = async () => {
    try {
      const connection = await connect(onClose, closing.signal)
      connecting -= 1
      if (failures > 0) onEvent({ type: 'reachable', message: `${place} can be reached again` })
      failures = 0
      offer(connection)
    } catch (thrown) {
      connecting -= 1
      if (closing.signal.aborted) return
      failure = thrown
      const message = thrown instanceof Error ? thrown.message : String(thrown)
      if (failures === 0) onEvent({ type: 'unreachable', message })
      const now = performance.now()
      // Attempts made together fail together, and count once.
      if (now >= nextAttemptAt) {
        nextAttemptAt = now + equalJitterMs(attemptGaps, failures)
        failures += 1
      }
    }
    grow()
  }

  const onRetry = () => {
    retry = undefined
    grow()
  }

  /** Makes the connections that those who wait could use, or tells them that none can be had. */
  const grow = () => {
    if (failures === 0 || performance.now() >= nextAttemptAt) {
      // While it fails, one attempt at a time tells as much as many.
      const wanted = failures === 0 ? waiters.size : Math.min(waiters.size, 1)
      while (connecting < wanted && busy.size + idle.length + connecting < max) {
        connecting += 1
        void attempt()
      }
    }
    if (failures === 0 || connecting > 0 || waiters.size === 0) return
    if (busy.size === 0) {
      for (const waiter of waiters) refuse(waiter, failure)
    } else if (retry === undefined) {
      // A connection in use may be free before; another attempt is due all the same.
      retry = setTimeout(onRetry, Math.max(0, nextAttemptAt - performance.now()))
    }
  }

  const settle = () => {
    if (closing.signal.aborted && busy.size === 0) drained.resolve()
    else if (waiters.size > 0) grow()
  }

  return {
    take(waitMs) {
      if (closing.signal.aborted) throw closed(place)
      const entry = idle.pop()
      if (entry !== undefined) {
        busy.add(entry.connection)
        return entry.connection
      }
      return new Promise((resolve, reject) => {
        const giveUp = () => {
          // Report why no connection can be made rather than that all are in use.
          const cause = failures > 0 && failure instanceof DatabaseError ? failure : undefined
          refuse(waiter, late(place, waitMs, cause))
        }
        const stop = deadline(waitMs, giveUp)
        const waiter: Waiter = {
          resolve(connection) {
            stop()
            resolve(connection)
          },
          reject(error) {
            stop()
            reject(error)
          },
        }
        waiters.add(waiter)
        grow()
      })
    },
    release(connection) {
      busy.delete(connection)
      offer(connection)
      settle()
    },
    discard(connection) {
      busy.delete(connection)
      connection.close()
      settle()
    },
    distrust(since) {
      for (const { connection, answeredAt } of [...idle]) {
        if (answeredAt < since) connection.close()
      }
    },
    async close() {
      closing.abort()
      for (const waiter of waiters) refuse(waiter, closed(place))
      settle()
      await drained.promise
      for (const { connection } of [...idle]) connection.close()
    },
  }
}

const closed = (place: string) => new DatabaseError('not-sent', `${place} was closed here`)

const late = (place: string, waitMs: number, cause: DatabaseError | undefined) =>
  new DatabaseError(
    'not-sent',
    `No connection to ${place} was free within ${Math.ceil(waitMs)} ms`,
    cause === undefined
      ? { reason: 'slow' }
      : {
          reason: cause.reason,
          cause,
          ...(cause.sqlState === undefined ? {} : { sqlState: cause.sqlState }),
        },
  )
