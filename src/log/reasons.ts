/**
 * The description of an error in a log line. Adapters put no secret and no SQL text into their
 * messages.
 */
import { thrownText } from '../mechanics/thrown-text.ts'
import { sqlStateOf } from '../ports/database.ts'

/**
 * The message of an error, then those of its causes: a problem's message is for the caller, its
 * causes say why.
 */
export function textOf(error: unknown): string {
  if (!(error instanceof Error)) return thrownText(error)
  return error.cause === undefined ? error.message : `${error.message}: ${textOf(error.cause)}`
}

/** The SQLSTATE, if Postgres answered one, and the text of an error. */
export const reasonOf = (cause: unknown): { sqlState?: string | undefined; reason?: string } =>
  cause === undefined ? {} : { sqlState: sqlStateOf(cause), reason: textOf(cause) }

/** The name, message and stack of an error, and of its causes. */
export function describe(error: unknown): unknown {
  if (!(error instanceof Error)) return thrownText(error)
  const { name, message, stack, cause } = error
  return { name, message, stack, ...(cause === undefined ? {} : { cause: describe(cause) }) }
}

/** Cuts a text that a caller sent to 200 characters. */
export const cut = (text: string): string => (text.length > 200 ? `${text.slice(0, 200)}…` : text)
