/** Unsuccessful answers: problems of the service, and answers of a proxy in its place. */
import { Problem } from '../../problem-error.ts'
import { isProblem } from '../wire/problem-json.ts'
import type { Call, Failure } from './call.ts'

/** The failure of an answer. `value` is the JSON of its body, or undefined if the body is no JSON. */
export function failureOf(call: Call, { status, ok, headers }: Response, value: unknown): Failure {
  const seconds = retryAfterSeconds(headers.get('retry-after'))
  const waitMs = (seconds ?? 0) * 1000
  if (isProblem(value) && !ok)
    return { problem: Problem.received(value, seconds), sending: 'answered', waitMs }
  const detail = `The answer to ${call.method} ${call.path} has status ${status} and is not one of Turnlog's.`
  // The answer is from a proxy, or from a machine that is going down.
  const isTemporary = status === 429 || status >= 502
  const received = {
    title: 'The answer did not come from Turnlog',
    status,
    retryable: isTemporary,
  }
  const unusable = new Problem('answer-unusable', detail, { received })
  // A proxy that answers 429 did not pass the request on.
  return {
    problem: unusable,
    sending: isTemporary && status !== 429 ? 'perhaps' : 'answered',
    waitMs,
  }
}

/** The seconds of a `Retry-After` header (RFC 9110), which has seconds or a date. Undefined if it has neither. */
export function retryAfterSeconds(header: string | null): number | undefined {
  if (header === null) return undefined
  const number = Number(header)
  const seconds = Number.isNaN(number)
    ? Math.ceil((Date.parse(header) - Date.now()) / 1000)
    : number
  return Number.isNaN(seconds) ? undefined : Math.max(0, seconds)
}
