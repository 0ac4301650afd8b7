/**
 * Requester makes REST calls over fetch, and retries each while that is safe and there is time. A failed call rejects
 * with a `Problem`, an aborted one with the signal's reason.
 */
import { type Backoff, fullJitterMs, pause } from '../../mechanics/backoff.ts'
import { checkedMs } from '../checked-options.ts'
import { parsed } from '../wire/problem-json.ts'
import type { Answer, Call, CallOptions, Failure, Retry } from './call.ts'
import { sendingOf } from './fetch-failure.ts'
import { failureOf } from './problem-answers.ts'
import { isUnsure, mayRepeat, noAnswerProblem, withUnknownOutcome } from './retry-rule.ts'

export type RequesterOptions = {
  /** The address of the service, without a slash at its end. */
  readonly url: string
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>
  readonly headers: Readonly<Record<string, string>>
  /** How long a call may take with all its attempts, in milliseconds. */
  readonly deadlineMs: number
  /** How long one attempt may take, in milliseconds. */
  readonly attemptMs: number
  readonly backoff: Backoff
  /** How long a call is retried, in milliseconds from its start. Undefined means until its deadline. */
  readonly retryForMs: number | undefined
  /** Called before each wait for another attempt. Must not throw. */
  readonly onRetry: (retry: Retry) => void
}

/** The deadline of a call and the caller's signal. */
type Bound = {
  /** Aborts at the deadline, or with the caller's signal. */
  readonly signal: AbortSignal
  /** Whether the deadline has passed. */
  readonly isLate: () => boolean
  /** The last moment at which an attempt may begin, as `performance.now()` counts. */
  readonly lastBeginAt: number
}

export class Requester {
  readonly #options: RequesterOptions
  /** Whether an answer has arrived since the last failure, so that the runtime may reuse its connection. */
  #mayBePooled = false

  constructor(options: RequesterOptions) {
    this.#options = options
  }

  /** Makes a call. Returns the body of a 2xx answer, or null if its status is 204. */
  async request<T>(original: Call, options: CallOptions = {}): Promise<T | null> {
    const { signal, deadlineMs = this.#options.deadlineMs, resend, onStatus } = options
    const call: Call = resend === true ? { ...original, onlyOnce: false } : original
    const url = `${this.#options.url}${call.path}${queryOf(call.query ?? {})}`
    signal?.throwIfAborted()
    // No attempt begins shortly before the deadline: the deadline would cut it short, and its outcome would be unknown.
    const lastMs = deadlineMs - Math.min(1000, deadlineMs / 10)
    const lastBeginAt = performance.now() + Math.min(lastMs, this.#options.retryForMs ?? lastMs)
    const deadline = new AbortController()
    // The timer is cleared below. `AbortSignal.timeout` would keep one timer per call until a long deadline.
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

  /** Makes attempts until one has a final answer. */
  async #settle<T>(call: Call, url: string, bound: Bound): Promise<Answer<T>> {
    /** Whether an attempt may have been carried out. */
    let isUnknown = false
    for (let failures = 1; ; failures += 1) {
      const outcome = await this.#attempt<T>(call, url, bound)
      if ('body' in outcome) return outcome
      const { problem } = outcome
      isUnknown ||= isUnsure(outcome)
      const waitMs = Math.max(outcome.waitMs, fullJitterMs(this.#options.backoff, failures - 1))
      const final = isUnknown ? withUnknownOutcome(call, problem) : problem
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
      if (bound.isLate()) throw noAnswerProblem(call, base, bound.signal.reason, 'perhaps')
      bound.signal.throwIfAborted()
      const sending = sendingOf(cause, wasPooled)
      this.#mayBePooled = false
      return { problem: noAnswerProblem(call, base, cause, sending), sending, waitMs: 0 }
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
