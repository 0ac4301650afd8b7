/** The problem of a write that may have been carried out. */
import { Problem } from '../problem.ts'

/** `isRepeatable`: the caller can send it again, and it is the same write; else the problem says not to. */
export function unknownOutcomeWithAdvice(
  detail: string,
  { isRepeatable, ...options }: { readonly isRepeatable: boolean; readonly cause?: unknown },
): Problem {
  const advice = isRepeatable
    ? 'Send the same again.'
    : 'No key or id of yours names it: read first, for sent again it may be written twice.'
  return new Problem('outcome-unknown', `${detail.replace(/[.\s]+$/, '')}. ${advice}`, {
    ...options,
    retryable: isRepeatable,
  })
}
