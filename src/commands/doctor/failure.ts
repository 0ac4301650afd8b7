/** The reason why a database did not answer, and the advice that fits it. */
import { thrownText } from '../../mechanics/thrown-text.ts'
import { DatabaseError } from '../../ports/database.ts'

/**
 * Returns the reason of a failure in one line. It holds no secret, because the messages of adapters
 * hold none.
 */
export function reasonOf(thrown: unknown, what: string): string {
  const message = thrownText(thrown)
  return message.includes(what) ? message : `${what}: ${message}`
}

/** Returns the advice for a failure. `setting` names the setting that holds the address. */
export function connectAdvice(thrown: unknown, setting: string): string {
  const state = thrown instanceof DatabaseError ? (thrown.sqlState ?? '') : ''
  const message = thrown instanceof Error ? thrown.message : ''
  if (state.startsWith('28')) return `Correct the user or the password in ${setting}.`
  if (state === '3D000') return `Create the database, or correct its name in ${setting}.`
  if (state === '53300')
    return 'The server has no free connection: close some, or raise max_connections.'
  if (state === '57P03')
    return 'The server is starting or stopping: run the doctor again in a moment.'
  if (/ENOTFOUND|EAI_AGAIN/.test(message))
    return `The host does not exist: correct it in ${setting}.`
  if (/ECONNREFUSED/.test(message))
    return `Start the server, or correct host and port in ${setting}.`
  if (/ECONNRESET/.test(message))
    return `If the server has no TLS, or requires it, correct sslmode in ${setting}.`
  if (/TIMEOUT|within/i.test(message))
    return `Check the server and the firewalls before it, or correct the host in ${setting}.`
  return `Check the server, and ${setting}.`
}
