/** The problem of a write that may have been carried out. */
import { Problem } from '../../problem-error.ts'

/** `isRepeatable`: if the caller sends it again, it is the same write. The detail says whether to do so. */
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
