/** Pure: the `[SPLIT]` join. The list of parts and the joined content always agree. */

/** Stands between the parts in `content`, for LLMs and for clients that know no parts. */
export const partJoin = '[SPLIT]'

/**
 * Responses as sent -> the parts as stored: split on the exact marker, white space kept, empty parts
 * dropped. `splitResponses([joinParts(parts)])` is `parts` again.
 */
export function splitResponses(responses: readonly string[]): string[] {
  return responses.flatMap((response) => response.split(partJoin)).filter((part) => part !== '')
}

export const joinParts = (parts: readonly string[]): string => parts.join(partJoin)
