/**
 * Requester makes REST calls over fetch, and tries each again while that is safe and there is time. What fails is a
 * `Problem`; what the caller aborts rejects with the signal's reason.
 */
import { type Backoff, fullJitterMs, pause } from '../../mechanics/backoff.ts'
import { checkedMs } from '../checked-options.ts'
import { parsed } from '../wire/problem-json.ts'
import type { Answer, Call, CallOptions, Failure, Retry } from './call.ts'
import { sendingOf } from './fetch-failure.ts'
import { failureOf } from './problem-answers.ts'
import { isUnsure, mayRepeat, unreached, unsettled } from './retry-rule.ts'

export type RequesterOptions = {
  /** Without a slash at its end. */
  readonly url: string
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>
  readonly headers: Readonly<Record<string, string>>
  readonly deadlineMs: number
  /** How long one attempt may take, milliseconds. */
  readonly attemptMs: number
  readonly backoff: Backoff
  /** How long a call is tried again, milliseconds from its start; undefined: until its deadline. */
  readonly retryForMs: number | undefined
  /** Called before each wait for another attempt. Must not throw. */
  readonly onRetry: (retry: Retry) => void
}

/** The time that a call may take, and the caller's signal, as one signal. */
type Bound = {
  readonly signal: AbortSignal
  /** The deadline has passed. */
  readonly isLate: () => boolean
  /** No attempt begins after this, of `performance.now()`. */
  readonly lastBeginAt: number
}

export class Requester {
  readonly #options: RequesterOptions
  /** There was an answer since the last failure, so the runtime may have kept its connection. */
  #mayBePooled = false

  constructor(options: RequesterOptions) {
    this.#options = options
  }

  /** The body of a 2xx; null where it is a 204. */
  async request<T>(given: Call, options: CallOptions = {}): Promise<T | null> {
    const { signal, deadlineMs = this.#options.deadlineMs, resend, onStatus } = options
    const call: Call = resend === true ? { ...given, onlyOnce: false } : given
    const url = `${this.#options.url}${call.path}${queryOf(call.query ?? {})}`
    signal?.throwIfAborted()
    // No attempt begins shortly before the deadline: cut short by it, the outcome would be unknown.
    const lastMs = deadlineMs - Math.min(1000, deadlineMs / 10)
    const lastBeginAt = performance.now() + Math.min(lastMs, this.#options.retryForMs ?? lastMs)
    const deadline = new AbortController()
    // Cleared below: `AbortSignal.timeout` would keep a timer of each call for all of a long deadline.
    const timer = setTimeout(
      () => deadline.abort(new DOMException('The operation timed out.', 'TimeoutError')),
      checkedMs('deadlineMs', deadlineMs),
    )
    try {
      const { body, status } = await this.#settle<T>(call, url, {
        signal: signal === undefined ? deadline.signal : AbortSignal.any([signal, deadline.signal]),
        isLate: () => deadline.signal.aborted && signal?.aborted !== true,
        lastBeginAt,
      })
      onStatus?.(status)
      return body
    } finally {
      clearTimeout(timer)
    }
  }

  /** Makes attempts until one is answered for good. */
  async #settle<T>(call: Call, url: string, bound: Bound): Promise<Answer<T>> {
    /** Whether an attempt may have been carried out. */
    let unknown = false
    for (let failures = 1; ; failures += 1) {
      const outcome = await this.#attempt<T>(call, url, bound)
      if ('body' in outcome) return outcome
      const { problem } = outcome
      unknown ||= isUnsure(outcome)
      const waitMs = Math.max(outcome.waitMs, fullJitterMs(this.#options.backoff, failures - 1))
      const final = unknown ? unsettled(call, problem) : problem
      if (!mayRepeat(call, outcome, failures)) throw final
      if (performance.now() + waitMs >= bound.lastBeginAt) throw final
      this.#options.onRetry({ problem, failures, waitMs })
      await pause(waitMs, bound.signal).catch((thrown) => {
        throw bound.isLate() ? final : thrown
      })
    }
  }

  async #attempt<T>(call: Call, url: string, bound: Bound): Promise<Answer<T> | Failure> {
    const { url: base } = this.#options
    const wasPooled = this.#mayBePooled
    let response: Response
    let text: string
    try {
      response = await this.#options.fetch(url, this.#initOf(call, bound.signal))
      this.#mayBePooled = true
      text = await response.text()
    } catch (cause) {
      if (bound.isLate()) throw unreached(call, base, bound.signal.reason, 'perhaps')
      bound.signal.throwIfAborted()
      const sending = sendingOf(cause, wasPooled)
      this.#mayBePooled = false
      return { problem: unreached(call, base, cause, sending), sending, waitMs: 0 }
    }
    const { status, ok } = response
    const value = parsed(text)
    if (ok || call.alsoFine?.includes(status) === true) {
      if (status === 204) return { body: null, status }
      if (value !== undefined) return { body: value as T, status }
    }
    return failureOf(call, response, value)
  }

  #initOf({ method, body, headers }: Call, signal: AbortSignal): RequestInit {
    return {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...this.#options.headers,
        ...headers,
      },
      ...(body === undefined ? {} : { body }),
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(this.#options.attemptMs)]),
    }
  }
}

function queryOf(query: object): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query))
    if (value !== undefined && value !== null) search.set(name, String(value))
  return search.size === 0 ? '' : `?${search}`
}
