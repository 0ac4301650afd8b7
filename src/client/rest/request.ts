/**
 * One REST call over fetch, tried again while that is safe and there is time. What fails is a
 * `Problem`; what the caller aborts is the signal's reason.
 */
import { Problem, type ProblemCode, type ToldProblem } from '../../problem.ts'
import { type Backoff, fullJitterMs, pause } from '../backoff.ts'
import { checkedMs } from '../checked-options.ts'
import { unknownOutcomeWithAdvice } from '../outcome-unknown.ts'
import { shownUrl, withShownUrl } from '../shown-url.ts'
import { reasonOf, type Sending, sendingOf } from './fetch-failure.ts'

export type CallOptions = {
  /** Ends the call: it rejects with the signal's reason. A write may have been carried out. */
  readonly signal?: AbortSignal | undefined
  /** How long the call may take with all its attempts, milliseconds; 30,000 unless said otherwise. */
  readonly deadlineMs?: number | undefined
}

/**
 * Whether sending it twice is the same as once. `repeatable`: reads, and writes with an id, a key or
 * a whole value. `once`: tried again only after an answer that says that nothing was written.
 */
export type Repeat = 'repeatable' | 'once'

export type Call = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  /** Its members become query parameters; those that are null or undefined are left out. */
  readonly query?: object
  /** JSON text, which each attempt sends unchanged. */
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly repeat: Repeat
  /** The client made the key or id that makes it repeatable, so a second call of the caller is another write. */
  readonly isNamedHere?: boolean
  /** Other statuses whose JSON is an answer and no problem. */
  readonly alsoFine?: readonly number[]
}

/** The body of a 2xx; null where it is a 204. */
export type Requester = <T>(call: Call, options?: CallOptions) => Promise<T | null>

export type RequesterOptions = {
  /** Without a slash at its end. */
  readonly url: string
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>
  readonly headers: Readonly<Record<string, string>>
  readonly deadlineMs: number
  /** How long one attempt may take, milliseconds. */
  readonly attemptMs: number
  readonly backoff: Backoff
}

/** `sending`: whether the request may have been sent; `told`: it was answered, and `problem` is that answer. */
type Failure = {
  readonly problem: Problem
  readonly sending: Sending | 'told'
  readonly waitMs: number
}

/** A fault of the service is tried again, and need not be one that passes. */
const faultAttemptsMax = 4

const unsure: readonly ProblemCode[] = ['outcome-unknown', 'internal']

export function createRequester(options: RequesterOptions): Requester {
  const base = options.url
  /** There was an answer since the last failure, so the runtime may have kept its connection. */
  let mayBePooled = false

  /** Its failure is to be tried again; what is final is thrown. */
  const attempt = async <T>(
    call: Call,
    url: string,
    signal: AbortSignal,
  ): Promise<{ readonly body: T | null } | Failure> => {
    const { method, body, headers, alsoFine = [] } = call
    const init: RequestInit = {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...options.headers,
        ...headers,
      },
      ...(body === undefined ? {} : { body }),
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(options.attemptMs)]),
    }
    const wasPooled = mayBePooled
    let response: Response
    let text: string
    try {
      response = await options.fetch(url, init)
      mayBePooled = true
      text = await response.text()
    } catch (cause) {
      signal.throwIfAborted()
      const sending = sendingOf(cause, wasPooled)
      mayBePooled = false
      return { problem: unreached(call, base, cause, sending), sending, waitMs: 0 }
    }
    const { status } = response
    const value = parsed(text)
    if (response.ok || alsoFine.includes(status)) {
      if (status === 204) return { body: null }
      if (value !== undefined) return { body: value as T }
    }
    return failureOf(call, response, value)
  }

  return async <T>(call: Call, callOptions: CallOptions = {}) => {
    const { signal, deadlineMs = options.deadlineMs } = callOptions
    const url = `${base}${call.path}${queryOf(call.query ?? {})}`
    signal?.throwIfAborted()
    const deadline = AbortSignal.timeout(checkedMs('deadlineMs', deadlineMs))
    const either = signal === undefined ? deadline : AbortSignal.any([signal, deadline])
    // No attempt begins shortly before the deadline: cut short by it, the outcome would be unknown.
    const end = performance.now() + deadlineMs - Math.min(1000, deadlineMs / 10)
    /** Whether an attempt may have been carried out. */
    let unknown = false
    for (let failures = 0; ; failures += 1) {
      let outcome: Awaited<ReturnType<typeof attempt<T>>>
      try {
        outcome = await attempt<T>(call, url, either)
      } catch (thrown) {
        if (signal?.aborted === true || thrown !== deadline.reason) throw thrown
        throw unreached(call, base, thrown, 'perhaps')
      }
      if ('body' in outcome) return outcome.body
      unknown ||= outcome.sending === 'perhaps' || unsure.includes(outcome.problem.code)
      const wait = Math.max(outcome.waitMs, fullJitterMs(options.backoff, failures))
      if (!mayRepeat(call, outcome, failures) || performance.now() + wait >= end)
        throw unknown ? unsettled(call, outcome.problem) : outcome.problem
      try {
        await pause(wait, either)
      } catch (thrown) {
        if (signal?.aborted === true) throw thrown
        throw unknown ? unsettled(call, outcome.problem) : outcome.problem
      }
    }
  }
}

/** A write that may have been carried out by an earlier attempt has not definitely failed. */
function unsettled(call: Call, problem: Problem): Problem {
  const { method, path } = call
  if (method === 'GET' || (!problem.retryable && problem.code !== 'outcome-unknown')) return problem
  const isRepeatable = isRepeatableByCaller(call)
  // It already says whether the caller should send it again.
  if (problem.code === 'outcome-unknown' && problem.retryable === isRepeatable) return problem
  const detail = `Whether ${method} ${path} was carried out is not known: ${problem.message}`
  return unknownOutcomeWithAdvice(detail, { isRepeatable, cause: problem })
}

const isRepeatableByCaller = ({ repeat, isNamedHere = false }: Call) =>
  repeat === 'repeatable' && !isNamedHere

function mayRepeat({ repeat }: Call, { problem, sending }: Failure, failures: number): boolean {
  if (sending === 'impossible') return false
  // The service calls it not retryable if it sees no key; the client may know that an id names the write.
  const isFinal = !problem.retryable && problem.code !== 'outcome-unknown'
  if (sending === 'told' && isFinal) return false
  if (problem.code === 'internal' && failures + 1 >= faultAttemptsMax) return false
  const isUnsure = sending === 'perhaps' || unsure.includes(problem.code)
  return repeat === 'repeatable' || !isUnsure
}

function failureOf(call: Call, response: Response, value: unknown): Failure {
  const { status, headers } = response
  const seconds = retryAfterSeconds(headers.get('retry-after'))
  const waitMs = (seconds ?? 0) * 1000
  if (isProblem(value) && !response.ok)
    return { problem: Problem.told(value, seconds), sending: 'told', waitMs }
  const detail = `The answer to ${call.method} ${call.path} is ${status}, and none of Turnlog's.`
  // Of a proxy, or of a machine that is going down.
  const passing = status === 429 || status >= 502
  const told = { title: 'The answer is not one of this service', status, retryable: passing }
  const unusable = new Problem('answer-unusable', detail, { told })
  // A proxy that answers 429 did not pass the request on.
  return { problem: unusable, sending: passing && status !== 429 ? 'perhaps' : 'told', waitMs }
}

function unreached(call: Call, base: string, cause: unknown, sending: Sending): Problem {
  const reason = withShownUrl(reasonOf(cause), base)
  const { method, path } = call
  if (method !== 'GET' && sending === 'perhaps') {
    const isRepeatable = isRepeatableByCaller(call)
    const detail = `The answer to ${method} ${path} never came: ${reason}`
    return unknownOutcomeWithAdvice(detail, { isRepeatable, cause })
  }
  return new Problem('service-unreachable', `${shownUrl(base)} cannot be reached: ${reason}`, {
    cause,
    retryable: sending !== 'impossible',
  })
}

function queryOf(query: object): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query))
    if (value !== undefined && value !== null) search.set(name, String(value))
  return search.size === 0 ? '' : `?${search}`
}

/** RFC 9110: seconds, or a date. */
function retryAfterSeconds(header: string | null): number | undefined {
  if (header === null) return undefined
  const number = Number(header)
  const seconds = Number.isNaN(number)
    ? Math.ceil((Date.parse(header) - Date.now()) / 1000)
    : number
  return Number.isNaN(seconds) ? undefined : Math.max(0, seconds)
}

export function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export const isProblem = (value: unknown): value is ToldProblem =>
  typeof value === 'object' &&
  value !== null &&
  'code' in value &&
  typeof value.code === 'string' &&
  'status' in value &&
  typeof value.status === 'number' &&
  'title' in value &&
  typeof value.title === 'string' &&
  'retryable' in value &&
  typeof value.retryable === 'boolean'
