/** What a line says of an error. Adapters put no secret and no SQL into their messages. */
import { sqlStateOf } from '../ports/database.ts'

/** With what caused it: a problem says what its caller gets to read, its cause says why. */
export function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? error.message : `${error.message}: ${textOf(error.cause)}`
}

/** The SQLSTATE, where Postgres answered one, and the text. */
export const reasonOf = (cause: unknown): { sqlState?: string | undefined; reason?: string } =>
  cause === undefined ? {} : { sqlState: sqlStateOf(cause), reason: textOf(cause) }

/** An error's class, text and place; its cause as well. */
export function describe(error: unknown): unknown {
  if (!(error instanceof Error)) return String(error)
  const { name, message, stack, cause } = error
  return { name, message, stack, ...(cause === undefined ? {} : { cause: describe(cause) }) }
}

/** What a caller sent may be long. */
export const cut = (text: string): string => (text.length > 200 ? `${text.slice(0, 200)}…` : text)
