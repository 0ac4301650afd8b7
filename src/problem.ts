/** Problems as the service makes them: what is thrown, and what its caller is told. */
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

/** A body full of mistakes is not answered with one as large. */
export const violationsMax = 50

/**
 * One problem for a list of violations: their common code, else `request-invalid`. A function, so that bundles of the
 * client, which never has a list of them, leave it out.
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

/** Anything thrown -> a problem. What is not one of ours is `internal`, and its text stays here. */
export function toProblem(thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown
  return new Problem('internal', 'The service failed; its log has the reason.', { cause: thrown })
}
