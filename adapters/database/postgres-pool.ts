/**
 * Pool holds the connections to one Postgres. A caller takes a connection for one statement. A
 * caller that still waits here has certainly sent nothing. A connection in doubt is closed and
 * replaced: a connection is cheap, a wrong outcome is not.
 */
import { equalJitterMs } from '../../src/mechanics/backoff.ts'
import { deadline } from '../../src/mechanics/loop-delay.ts'
import { DatabaseError } from '../../src/ports/database.ts'
import type { Connection } from './postgres-connection.ts'
import type { OnDatabaseEvent } from './startable.ts'

export type PoolOptions = {
  /** The server's name in messages, without secrets. */
  readonly serverName: string
  /** Maximum number of connections. */
  readonly max: number
  readonly connect: (
    onClose: (connection: Connection) => void,
    signal: AbortSignal,
  ) => Promise<Connection>
  readonly onEvent: OnDatabaseEvent
}

type Idle = { readonly connection: Connection; readonly answeredAt: number }

type Waiter = { resolve(connection: Connection): void; reject(error: unknown): void }

/** Bounds of the wait before the next attempt after failed connects. */
const attemptGaps = { firstMs: 50, maxMs: 400 }

/**
 * Outage counts the attempts to connect that failed one after another, and when the next one is
 * due.
 */
class Outage {
  failures = 0
  reason: unknown
  nextAttemptAt = 0

  /** Counts a failed attempt. Attempts that were made together count once. */
  failed(reason: unknown): void {
    this.reason = reason
    const now = performance.now()
    if (now < this.nextAttemptAt) return
    this.nextAttemptAt = now + equalJitterMs(attemptGaps, this.failures)
    this.failures += 1
  }
}

export class Pool {
  readonly #options: PoolOptions
  readonly #idle: Idle[] = []
  readonly #busy = new Set<Connection>()
  /** The callers that wait for a connection, the longest wait first. */
  readonly #waiters = new Set<Waiter>()
  readonly #closing = new AbortController()
  readonly #drained = Promise.withResolvers<void>()
  readonly #outage = new Outage()
  #connecting = 0
  #isRetrying = false

  constructor(options: PoolOptions) {
    this.#options = options
  }

  /**
   * Takes an idle connection, or the next one that becomes free.
   * @param waitMs Maximum wait in milliseconds.
   * @throws DatabaseError At once if the pool is closed. The promise rejects with one if no
   *   connection becomes free in time or none can be made. The outcome is `not-sent`.
   */
  take(waitMs: number): Connection | Promise<Connection> {
    if (this.#closing.signal.aborted) throw closed(this.#options.serverName)
    const entry = this.#idle.pop()
    if (entry === undefined) return this.#wait(waitMs)
    this.#busy.add(entry.connection)
    return entry.connection
  }

  /** Takes back a connection whose statement was answered. */
  release(connection: Connection): void {
    this.#busy.delete(connection)
    this.#offer(connection)
    this.#settle()
  }

  /** Takes back a connection whose statement got no answer. It may be unusable, so it is closed. */
  discard(connection: Connection): void {
    this.#busy.delete(connection)
    connection.close()
    this.#settle()
  }

  /**
   * Closes the idle connections that have not answered after `since`, a time of
   * `performance.now()`.
   */
  distrust(since: number): void {
    for (const { connection, answeredAt } of [...this.#idle])
      if (answeredAt < since) connection.close()
  }

  /** Refuses the waiting callers, waits for the running statements and closes all connections. */
  async close(): Promise<void> {
    this.#closing.abort()
    for (const waiter of this.#waiters) this.#refuse(waiter, closed(this.#options.serverName))
    this.#settle()
    await this.#drained.promise
    for (const { connection } of [...this.#idle]) connection.close()
  }

  #wait(waitMs: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const stop = deadline(waitMs, () => this.#giveUp(waiter, waitMs))
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
      this.#waiters.add(waiter)
      this.#grow()
    })
  }

  /** Refuses a waiter whose time is over. If connects fail, the error has their reason. */
  #giveUp(waiter: Waiter, waitMs: number): void {
    const { failures, reason } = this.#outage
    const cause = failures > 0 && reason instanceof DatabaseError ? reason : undefined
    this.#refuse(waiter, late(this.#options.serverName, waitMs, cause))
  }

  #refuse(waiter: Waiter, error: unknown): void {
    this.#waiters.delete(waiter)
    waiter.reject(error)
  }

  /**
   * Hands the connection to the first waiter, or keeps it idle. An expired or closed one is
   * dropped, and each one while the pool closes.
   */
  #offer(connection: Connection): void {
    const isOver = this.#closing.signal.aborted || performance.now() > connection.expiresAt
    if (!connection.alive() || isOver) {
      connection.close()
      return
    }
    const [waiter] = this.#waiters
    if (waiter === undefined) {
      this.#idle.push({ connection, answeredAt: performance.now() })
      return
    }
    this.#waiters.delete(waiter)
    this.#busy.add(connection)
    waiter.resolve(connection)
  }

  /** Makes the connections that waiters need, or refuses the waiters if none can be made. */
  #grow(): void {
    const { failures, nextAttemptAt, reason } = this.#outage
    if (failures === 0 || performance.now() >= nextAttemptAt) {
      // During an outage, one attempt is enough to see whether the server is back.
      const needed = failures === 0 ? this.#waiters.size : Math.min(this.#waiters.size, 1)
      while (this.#connecting < needed && this.#hasRoom()) {
        this.#connecting += 1
        void this.#attempt()
      }
    }
    if (failures === 0 || this.#connecting > 0 || this.#waiters.size === 0) return
    if (this.#busy.size === 0) for (const waiter of this.#waiters) this.#refuse(waiter, reason)
    // Waiters may still get a connection that is in use, so they stay, and the next attempt is due later.
    else this.#retryIn(Math.max(0, nextAttemptAt - performance.now()))
  }

  #retryIn(ms: number): void {
    if (this.#isRetrying) return
    this.#isRetrying = true
    setTimeout(() => {
      this.#isRetrying = false
      this.#grow()
    }, ms)
  }

  #hasRoom(): boolean {
    return this.#busy.size + this.#idle.length + this.#connecting < this.#options.max
  }

  async #attempt(): Promise<void> {
    const { serverName, connect, onEvent } = this.#options
    try {
      const connection = await connect((lost) => this.#lost(lost), this.#closing.signal)
      this.#connecting -= 1
      if (this.#outage.failures > 0)
        onEvent({ type: 'reachable', message: `${serverName} can be reached again` })
      this.#outage.failures = 0
      this.#offer(connection)
    } catch (thrown) {
      this.#connecting -= 1
      if (this.#closing.signal.aborted) return
      const message = thrown instanceof Error ? thrown.message : String(thrown)
      if (this.#outage.failures === 0) onEvent({ type: 'unreachable', message })
      this.#outage.failed(thrown)
    }
    this.#grow()
  }

  #lost(connection: Connection): void {
    const at = this.#idle.findIndex((entry) => entry.connection === connection)
    if (at >= 0) this.#idle.splice(at, 1)
  }

  #settle(): void {
    if (this.#closing.signal.aborted && this.#busy.size === 0) this.#drained.resolve()
    else if (this.#waiters.size > 0) this.#grow()
  }
}

const closed = (serverName: string) =>
  new DatabaseError('not-sent', `${serverName} was closed here`)

const late = (serverName: string, waitMs: number, cause: DatabaseError | undefined) =>
  new DatabaseError(
    'not-sent',
    `No connection to ${serverName} was free within ${Math.ceil(waitMs)} ms`,
    cause === undefined
      ? { reason: 'slow' }
      : {
          reason: cause.reason,
          cause,
          ...(cause.sqlState === undefined ? {} : { sqlState: cause.sqlState }),
        },
  )
