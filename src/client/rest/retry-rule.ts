/** Which failed attempts are made again, and what a call rejects with when none follows. Pure. */
import { Problem, type ProblemCode } from '../../problem-error.ts'
import { shownUrl, withShownUrl } from '../shown-url.ts'
import { unknownOutcomeWithAdvice } from '../wire/outcome-unknown.ts'
import type { Call, Failure } from './call.ts'
import { reasonOf, type Sending } from './fetch-failure.ts'

/** A fault of the service is tried again, and need not be one that passes. */
const faultAttemptsMax = 5

const unsure: readonly ProblemCode[] = ['outcome-unknown', 'internal']

/** Whether the attempt may have been carried out. */
export const isUnsure = ({ sending, problem }: Failure): boolean =>
  sending === 'perhaps' || unsure.includes(problem.code)

/** `failures`: how many attempts of the call have failed, with this one. */
export function mayRepeat({ onlyOnce }: Call, failure: Failure, failures: number): boolean {
  const { problem, sending } = failure
  if (sending === 'impossible') return false
  // The service calls it not retryable if it sees no key; the client may know that an id names the write.
  const isFinal = !problem.retryable && problem.code !== 'outcome-unknown'
  if (sending === 'answered' && isFinal) return false
  if (problem.code === 'internal' && failures >= faultAttemptsMax) return false
  return onlyOnce !== true || !isUnsure(failure)
}

const isRepeatableByCaller = ({ onlyOnce = false, isNamedHere = false }: Call) =>
  !(onlyOnce || isNamedHere)

/** What a call rejects with if an earlier attempt may have been carried out: such a write has not definitely failed. */
export function unsettled(call: Call, problem: Problem): Problem {
  const { method, path } = call
  if (method === 'GET' || (!problem.retryable && problem.code !== 'outcome-unknown')) return problem
  const isRepeatable = isRepeatableByCaller(call)
  // It already says whether the caller should send it again.
  if (problem.code === 'outcome-unknown' && problem.retryable === isRepeatable) return problem
  const detail = `Whether ${method} ${path} was carried out is not known: ${problem.message}`
  return unknownOutcomeWithAdvice(detail, { isRepeatable, cause: problem })
}

/** The problem of an attempt that has no answer: `service-unreachable` or `outcome-unknown`. */
export function unreached(call: Call, base: string, cause: unknown, sending: Sending): Problem {
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
