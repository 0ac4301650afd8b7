/** What a failed call of Redis means, and what may be said about it. */
import { ErrorReply } from 'redis'
import { thrownText } from '../../../src/mechanics/thrown-text.ts'
import { KvError } from '../../../src/ports/kv.ts'
import { plainReason } from '../../reason.ts'

/**
 * Answers to a write that have nothing to do with its key: the server is a replica, has not saved its
 * data, is full, lacks replicas, is starting or busy, or this user may not do that, in a script or else.
 */
const refusesWrites =
  /\b(READONLY|MISCONF|OOM|NOPERM|NOAUTH|NOREPLICAS|MASTERDOWN|LOADING|BUSY|UNKILLABLE)\b|user executing the script can't|ACL failure in script/

export const isMissingScript = (thrown: unknown) =>
  thrown instanceof Error && thrown.message.startsWith('NOSCRIPT')

/** The server is no master: it never was, or is none any more. */
export const isReplicaReply = (thrown: unknown) =>
  thrown instanceof ErrorReply && /\bREADONLY\b/.test(thrown.message)

export const lateAnswer = (place: string) =>
  new KvError('unknown', `${place} did not answer within the deadline`)

export const closedHere = (place: string) =>
  new KvError('unknown', `${place} was closed here before it answered`)

export function callFailure(thrown: unknown, place: string): KvError {
  const reason = reasonOf(thrown)
  if (thrown instanceof ErrorReply) {
    const options = { refusesWrites: refusesWrites.test(reason) }
    return new KvError('refused', `${place} answered ${withoutScript(reason)}`, options)
  }
  const isUnsent = /offline|client is closed|queue is full|aborted/i.test(reason)
  return new KvError(isUnsent ? 'not-sent' : 'unknown', `The call of ${place} failed: ${reason}`)
}

/** Redis adds the script's hash and line, which say nothing to an operator. */
const withoutScript = (reason: string) =>
  reason.replace(/ script: \w+, on @user_script:\d+\.?$/, '')

export function reasonOf(thrown: unknown): string {
  if (thrown instanceof AggregateError) return thrown.errors.map(reasonOf).join(', ')
  if (!(thrown instanceof Error)) return thrownText(thrown)
  if ('code' in thrown && typeof thrown.code === 'string') return plainReason(thrown.code)
  return thrown.message || thrown.name
}
