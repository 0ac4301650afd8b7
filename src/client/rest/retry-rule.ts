/** The rule of retries: which failed attempts are repeated, and with which problem a call rejects. Pure. */
import { Problem, type ProblemCode } from '../../problem-error.ts'
import { shownUrl, withShownUrl } from '../shown-url.ts'
import { unknownOutcomeWithAdvice } from '../wire/outcome-unknown.ts'
import type { Call, Failure } from './call.ts'
import { reasonOf, type Sending } from './fetch-failure.ts'

/** Attempts after which a call gives up on `internal`, which may be a permanent fault of the service. */
const faultAttemptsMax = 5

/** Problems of the service after which the write may have been carried out. */
const unsure: readonly ProblemCode[] = ['outcome-unknown', 'internal']

/** Whether the attempt may have been carried out. */
export const isUnsure = ({ sending, problem }: Failure): boolean =>
  sending === 'perhaps' || unsure.includes(problem.code)

/** Whether the attempt may be repeated. `failures` is the number of failed attempts of the call, including this one. */
export function mayRepeat({ onlyOnce }: Call, failure: Failure, failures: number): boolean {
  const { problem, sending } = failure
  if (sending === 'impossible') return false
  // The service reports `outcome-unknown` as not retryable if it sees no key. The client may know an id of the write.
  const isFinal = !problem.retryable && problem.code !== 'outcome-unknown'
  if (sending === 'answered' && isFinal) return false
  if (problem.code === 'internal' && failures >= faultAttemptsMax) return false
  return onlyOnce !== true || !isUnsure(failure)
}

const isRepeatableByCaller = ({ onlyOnce = false, isNamedHere = false }: Call) =>
  !(onlyOnce || isNamedHere)

/**
 * The problem of a call whose earlier attempt may have been carried out. It is `outcome-unknown`, because such a write
 * has not definitely failed.
 */
export function withUnknownOutcome(call: Call, problem: Problem): Problem {
  const { method, path } = call
  if (method === 'GET' || (!problem.retryable && problem.code !== 'outcome-unknown')) return problem
  const isRepeatable = isRepeatableByCaller(call)
  // The problem already says whether the caller should send the write again.
  if (problem.code === 'outcome-unknown' && problem.retryable === isRepeatable) return problem
  const detail = `${method} ${path} may have been carried out: ${problem.message}`
  return unknownOutcomeWithAdvice(detail, { isRepeatable, cause: problem })
}

/** The problem of an attempt without an answer: `service-unreachable` or `outcome-unknown`. */
export function noAnswerProblem(
  call: Call,
  base: string,
  cause: unknown,
  sending: Sending,
): Problem {
  const reason = withShownUrl(reasonOf(cause), base)
  const { method, path } = call
  if (method !== 'GET' && sending === 'perhaps') {
    const isRepeatable = isRepeatableByCaller(call)
    const detail = `${method} ${path} got no answer: ${reason}`
    return unknownOutcomeWithAdvice(detail, { isRepeatable, cause })
  }
  return new Problem('service-unreachable', `${shownUrl(base)} cannot be reached: ${reason}`, {
    cause,
    retryable: sending !== 'impossible',
  })
}
