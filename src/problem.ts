/**
 * Problems of the service: every code with its title, and the conversion of errors into problems.
 */
import { Problem, useTitles, type Violation } from './problem-error.ts'
import { problemTitles } from './problem-titles.ts'

export { type ProblemCode, problemCodes } from './problem-codes.ts'
export {
  Problem,
  type ProblemBody,
  type ReceivedProblem,
  type Violation,
} from './problem-error.ts'
export { problems } from './problem-help.ts'

useTitles(problemTitles)

/**
 * The maximum number of violations in a problem: the answer to a body full of mistakes stays small.
 */
export const violationsMax = 50

/**
 * One problem for a list of violations. Its code is the one that all violations share, or
 * `request-invalid` if they differ. It is a function, not a method of Problem, so that bundles of
 * the client leave it out.
 */
export function violationProblem(violations: readonly [Violation, ...Violation[]]): Problem {
  const [first] = violations
  const common = violations.every((violation) => violation.code === first.code)
  const lineOf = (violation: Violation) =>
    `${violation.in === 'body' ? '' : `${violation.in} `}${violation.pointer || 'the body'}: ${violation.message}`
  return new Problem(
    common ? first.code : 'request-invalid',
    violations.slice(0, 3).map(lineOf).join('; ') + (violations.length > 3 ? '; …' : ''),
    { violations: violations.slice(0, violationsMax) },
  )
}

/**
 * Turns any thrown value into a problem. An error that is no Problem becomes `internal`, without
 * its text.
 */
export function toProblem(thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown
  return new Problem('internal', 'The service failed. Its log has the reason.', { cause: thrown })
}
