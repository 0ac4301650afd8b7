/** A REST call: what is sent, how a caller may steer it, and how an attempt of it can fail. */
import type { Problem } from '../../problem-error.ts'
import type { Sending } from './fetch-failure.ts'

export type CallOptions = {
  /** Ends the call: it rejects with the signal's reason. A write may have been carried out. */
  readonly signal?: AbortSignal | undefined
  /** How long the call may take with all its attempts, milliseconds. @default the client's */
  readonly deadlineMs?: number | undefined
  /**
   * Whether to send the call again after an attempt whose answer was lost. By default that is done for reads and for
   * writes that a key, an id or a whole value makes the same the second time.
   */
  readonly resend?: boolean | undefined
  /** Called with the status of the answer that the call resolves with: 201 for what it made, 200 for what was there. */
  readonly onStatus?: ((status: number) => void) | undefined
}

/** An attempt of a REST call that failed and is made again. */
export type Retry = {
  readonly problem: Problem
  /** How many attempts of the call have failed. */
  readonly failures: number
  /** How long the client waits before the next attempt, milliseconds. */
  readonly waitMs: number
}

export type Call = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  /** Its members become query parameters; those that are null or undefined are left out. */
  readonly query?: object
  /** JSON text, which each attempt sends unchanged. */
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
  /**
   * Sent twice, it might do something else the second time: it is tried again only if nothing was written for sure.
   * All others are reads, and writes with an id, a key or a whole value.
   */
  readonly onlyOnce?: boolean
  /** The client made the key or id that makes it repeatable, so a second call of the caller is another write. */
  readonly isNamedHere?: boolean
  /** Other statuses whose JSON is an answer and no problem. */
  readonly alsoFine?: readonly number[]
}

/** The answer of a call that succeeded; `body` is null where it is a 204. */
export type Answer<T> = { readonly body: T | null; readonly status: number }

/** An attempt that failed. `sending`: whether the request may have been sent; `answered`: `problem` is its answer. */
export type Failure = {
  readonly problem: Problem
  readonly sending: Sending | 'answered'
  /** How long the service asks to wait, milliseconds. */
  readonly waitMs: number
}
