/** Turns the error of a failed Redis call into a `KvError` with its outcome. */
import { ErrorReply } from 'redis'
import { thrownText } from '../../../src/mechanics/thrown-text.ts'
import { KvError } from '../../../src/ports/kv.ts'
import { plainReason } from '../../reason.ts'

/**
 * Refusals of a write that do not depend on its key: the server is a replica, has not saved its
 * data, is full, lacks replicas, is starting or busy, or this user has no right to write, in a
 * script or outside.
 */
const refusesWrites =
  /\b(READONLY|MISCONF|OOM|NOPERM|NOAUTH|NOREPLICAS|MASTERDOWN|LOADING|BUSY|UNKILLABLE)\b|user executing the script can't|ACL failure in script/

export const isMissingScript = (thrown: unknown) =>
  thrown instanceof Error && thrown.message.startsWith('NOSCRIPT')

/** Whether a server answered that it is a replica. */
export const isReplicaReply = (thrown: unknown) =>
  thrown instanceof ErrorReply && /\bREADONLY\b/.test(thrown.message)

export const lateAnswer = (serverName: string) =>
  new KvError('unknown', `${serverName} did not answer within the deadline`)

export const closedHere = (serverName: string) =>
  new KvError('unknown', `${serverName} was closed here before it answered`)

/** The error of a failed call. */
export function callFailure(thrown: unknown, serverName: string): KvError {
  const reason = reasonOf(thrown)
  if (thrown instanceof ErrorReply) {
    const options = { refusesWrites: refusesWrites.test(reason) }
    return new KvError('refused', `${serverName} answered ${withoutScript(reason)}`, options)
  }
  const isUnsent = /offline|client is closed|queue is full|aborted/i.test(reason)
  return new KvError(
    isUnsent ? 'not-sent' : 'unknown',
    `The call of ${serverName} failed: ${reason}`,
  )
}

/** The reason without the script's hash and line, which mean nothing to an operator. */
const withoutScript = (reason: string) =>
  reason.replace(/ script: \w+, on @user_script:\d+\.?$/, '')

/** The reason of an error, as text for messages. */
export function reasonOf(thrown: unknown): string {
  if (thrown instanceof AggregateError) return thrown.errors.map(reasonOf).join(', ')
  if (!(thrown instanceof Error)) return thrownText(thrown)
  if ('code' in thrown && typeof thrown.code === 'string') return plainReason(thrown.code)
  return thrown.message || thrown.name
}
