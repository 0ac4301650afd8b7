/** A REST call: what the client sends, the options of the caller, and how an attempt can fail. */
import type { Problem } from '../../problem-error.ts'
import type { Sending } from './fetch-failure.ts'

/** The limits of one REST call. */
export type CallOptions = {
  /** Ends the call, which rejects with the signal's reason. A write may have been carried out all the same. */
  readonly signal?: AbortSignal | undefined
  /**
   * How long the call may take with all its attempts, in milliseconds.
   *
   * @default the client's `deadlineMs`
   */
  readonly deadlineMs?: number | undefined
  /**
   * Whether the client resends the call after an attempt whose answer was lost.
   *
   * @default true for reads and for writes that a key, an id or a whole value makes the same the second time
   */
  readonly resend?: boolean | undefined
  /** Called with the HTTP status of the answer: 201 if the call made something, 200 if it already existed. */
  readonly onStatus?: ((status: number) => void) | undefined
}

/** A failed attempt of a REST call that the client is about to repeat. */
export type Retry = {
  /** The problem of the failed attempt. */
  readonly problem: Problem
  /** How many attempts of the call have failed. */
  readonly failures: number
  /** How long the client waits before the next attempt, in milliseconds. */
  readonly waitMs: number
}

export type Call = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  /** The query parameters. Members that are null or undefined are left out. */
  readonly query?: object
  /** The JSON text that each attempt sends unchanged. */
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
  /**
   * Whether a second attempt might do something else than the first. Such a call is repeated only if nothing was
   * written for sure. All other calls are reads, or writes with an id, a key or a whole value.
   */
  readonly onlyOnce?: boolean
  /** Whether the client made the key or id. A second call of the caller then has another one, and is another write. */
  readonly isNamedHere?: boolean
  /** Statuses other than 2xx whose JSON is an answer and no problem. */
  readonly alsoFine?: readonly number[]
}

/** The answer of a call that succeeded. `body` is null if the status is 204. */
export type Answer<T> = { readonly body: T | null; readonly status: number }

/** A failed attempt. */
export type Failure = {
  readonly problem: Problem
  /** Whether the request may have been sent. `answered`: it was sent, and `problem` is its answer. */
  readonly sending: Sending | 'answered'
  /** How long the service asks the client to wait, in milliseconds. */
  readonly waitMs: number
}
