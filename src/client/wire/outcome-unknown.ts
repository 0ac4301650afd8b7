/** The problem of a write that may have been carried out. */
import { Problem } from '../../problem-error.ts'

/**
 * The problem `outcome-unknown` with the advice whether to send the write again. `isRepeatable`: sent again, it is the
 * same write.
 */
export function unknownOutcomeWithAdvice(
  detail: string,
  { isRepeatable, ...options }: { readonly isRepeatable: boolean; readonly cause?: unknown },
): Problem {
  const advice = isRepeatable
    ? 'Make the same call again: it is written once.'
    : 'It has no key or id of yours: read first, or it may be written twice.'
  return new Problem('outcome-unknown', `${detail.replace(/[.\s]+$/, '')}. ${advice}`, {
    ...options,
    retryable: isRepeatable,
  })
}
