/** What a line of the log says about an error. */
import { sqlStateOf } from '../ports/database.ts'

/** With what caused it: a problem says what its caller gets to read, its cause says why. */
export const textOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? error.message : `${error.message}: ${textOf(error.cause)}`
}

/** A text that a caller sent, at most 200 characters of it. */
export const cut = (text: string) => (text.length > 200 ? `${text.slice(0, 200)}…` : text)

/** The fields of a line that say why. */
export const reasonOf = (cause: unknown): Readonly<Record<string, unknown>> =>
  cause === undefined ? {} : { sqlState: sqlStateOf(cause), reason: textOf(cause) }

/** An error's class, text and place; its cause as well. */
export function describe(error: unknown): unknown {
  if (!(error instanceof Error)) return String(error)
  const { name, message, stack, cause } = error
  return { name, message, stack, ...(cause === undefined ? {} : { cause: describe(cause) }) }
}
