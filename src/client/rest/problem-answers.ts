/** Answers that are no success: problems of the service, and what a proxy answers in its place. */
import { Problem } from '../../problem-error.ts'
import { isProblem } from '../wire/problem-json.ts'
import type { Call, Failure } from './call.ts'

/** `value`: the JSON of the answer's body; undefined where it is none. */
export function failureOf(call: Call, { status, ok, headers }: Response, value: unknown): Failure {
  const seconds = retryAfterSeconds(headers.get('retry-after'))
  const waitMs = (seconds ?? 0) * 1000
  if (isProblem(value) && !ok)
    return { problem: Problem.received(value, seconds), sending: 'answered', waitMs }
  const detail = `The answer to ${call.method} ${call.path} is ${status}, and none of Turnlog's.`
  // Of a proxy, or of a machine that is going down.
  const passing = status === 429 || status >= 502
  const received = { title: 'The answer did not come from Turnlog', status, retryable: passing }
  const unusable = new Problem('answer-unusable', detail, { received })
  // A proxy that answers 429 did not pass the request on.
  return { problem: unusable, sending: passing && status !== 429 ? 'perhaps' : 'answered', waitMs }
}

/** The header `Retry-After` of RFC 9110: seconds, or a date. Undefined where it is neither. */
export function retryAfterSeconds(header: string | null): number | undefined {
  if (header === null) return undefined
  const number = Number(header)
  const seconds = Number.isNaN(number)
    ? Math.ceil((Date.parse(header) - Date.now()) / 1000)
    : number
  return Number.isNaN(seconds) ? undefined : Math.max(0, seconds)
}
