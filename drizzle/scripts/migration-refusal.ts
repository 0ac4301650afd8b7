/** A migration cannot be made. The message is one sentence for its author. No file was written. */
export class MigrationRefusal extends Error {
  override readonly name = 'MigrationRefusal'
}

/** The message of an error of Postgres, or of any other error, in one line. */
export function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown)
  const { message, cause } = thrown
  // drizzle's own message is the whole statement; the cause is Postgres' answer.
  if (cause instanceof Error) return reasonOf(cause)
  const detail = 'detail' in thrown && typeof thrown.detail === 'string' ? thrown.detail : ''
  const text = detail === '' ? message : `${message} (${detail})`
  return text.replace(/\s*\n\s*/g, '; ')
}
