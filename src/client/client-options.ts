/** The options of `createClient` and of `live`. */
import type { Backoff } from '../mechanics/backoff.ts'
import type { Problem } from '../problem-error.ts'
import type { LiveStart } from './following/live-event.ts'
import type { Journal, JournalEntry } from './journal/journal.ts'
import type { Written } from './recording/outcomes.ts'
import type { Retry } from './rest/call.ts'
import type { ConnectionState, WebSocketClass } from './socket/connection.ts'

/** The options of `createClient`. Times are numbers from 0 to 2,147,483,647. */
export type ClientOptions = {
  /**
   * The address of the service, for example `http://127.0.0.1:3000`: http or https, with or without a path, and
   * without a query and a fragment.
   */
  readonly url: string | URL
  /**
   * Headers of every REST request. The WebSocket does not send them, because browsers cannot set headers there.
   *
   * @default no headers
   */
  readonly headers?: Readonly<Record<string, string>>
  /**
   * How long a REST call may take with all its attempts, in milliseconds.
   *
   * @default 30_000
   */
  readonly deadlineMs?: number
  /**
   * How long one attempt of a REST call may take, in milliseconds.
   *
   * @default 10_000
   */
  readonly attemptMs?: number
  /**
   * How long a REST call is retried, in milliseconds from its start. No attempt begins later, and a running attempt
   * is not cut short. 0 means one attempt. A time above `deadlineMs` has no effect.
   *
   * @default until `deadlineMs`
   */
  readonly retryForMs?: number
  /** Called when an attempt of a REST call has failed and the client is about to wait for the next one. */
  readonly onRetry?: (retry: Retry) => void
  /**
   * Bounds of the random waits between attempts and between connections, in milliseconds. The bound of a wait doubles
   * with each failure, from `firstMs` to `maxMs`. Attempts of a REST call begin with at most 100 ms.
   *
   * @default { firstMs: 500, maxMs: 30_000 }
   */
  readonly backoff?: Backoff
  /**
   * Where turns and speech are stored until the service has acknowledged them.
   *
   * @default createMemoryJournal()
   */
  readonly journal?: Journal
  /** Called with the outcome of each write that an earlier run left in the journal. */
  readonly onRecovered?: (entry: JournalEntry, outcome: Written | Problem) => void
  /** Called at each change of the connection over which the client records turns. */
  readonly onConnection?: (state: ConnectionState) => void
  /**
   * How much text may wait for a slow consumer of `live()`, in characters per iteration. Above it, the client
   * unsubscribes until the consumer has caught up.
   *
   * @default 1_048_576
   */
  readonly bufferCharacters?: number
  /**
   * The function that sends REST requests.
   *
   * @default the `fetch` of the runtime
   */
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>
  /**
   * The WebSocket class. Runtimes without a global `WebSocket` need it.
   *
   * @default the `WebSocket` of the runtime
   */
  readonly webSocket?: WebSocketClass
}

/** The options of `live`. */
export type LiveOptions = LiveStart & {
  /** Ends the iteration, which throws the signal's reason. */
  readonly signal?: AbortSignal
}
