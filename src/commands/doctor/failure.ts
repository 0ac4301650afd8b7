/** Why something did not answer, and what to do about it. */
import { DatabaseError } from '../../ports/database.ts'

/** In one line, without a secret: adapters put none into their messages. */
export function reasonOf(thrown: unknown, what: string): string {
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  return message.includes(what) ? message : `${what}: ${message}`
}

/** `setting` names where the address stands. */
export function connectAdvice(thrown: unknown, setting: string): string {
  const state = thrown instanceof DatabaseError ? (thrown.sqlState ?? '') : ''
  const message = thrown instanceof Error ? thrown.message : ''
  if (state.startsWith('28')) return `Correct the user or the password in ${setting}.`
  if (state === '3D000') return `Create the database, or correct its name in ${setting}.`
  if (state === '53300') return 'The server has no connection left: end some, or raise its limit.'
  if (state === '57P03') return 'The server is starting or stopping: ask again in a moment.'
  if (/ENOTFOUND|EAI_AGAIN/.test(message)) return `No such host: correct it in ${setting}.`
  if (/ECONNREFUSED/.test(message))
    return `Start the server, or correct host and port in ${setting}.`
  if (/ECONNRESET/.test(message))
    return `Where it has no TLS, or wants it, correct sslmode in ${setting}.`
  if (/TIMEOUT|within/i.test(message))
    return `Something swallows what is sent there: a firewall, a wrong host in ${setting}, or a server that hangs.`
  return `Check the server, and ${setting}.`
}
