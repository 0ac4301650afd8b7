/** Why no migration is made: one sentence for its author, and nothing was written. */
export class MigrationRefusal extends Error {
  override readonly name = 'MigrationRefusal'
}

/** What Postgres, or whatever else threw, says in one line. */
export function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown)
  const { message, cause } = thrown
  // drizzle's own message is the whole statement; its cause is what Postgres answered.
  if (cause instanceof Error) return reasonOf(cause)
  const detail = 'detail' in thrown && typeof thrown.detail === 'string' ? thrown.detail : ''
  const text = detail === '' ? message : `${message} (${detail})`
  return text.replace(/\s*\n\s*/g, '; ')
}
