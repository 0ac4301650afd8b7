/**
 * The REST API for the writers of tests. A call has an answer, a problem, or an unknown outcome.
 */

import type { AttachedAudio } from '../../../src/conversation/wire/audio-schemas.ts'
import type { NewTurn, RecordedTurn, Segment } from '../../../src/conversation/wire/schemas.ts'
import type { ProblemBody } from '../../../src/problem.ts'

export type Answer<T> =
  | { kind: 'answer'; status: number; body: T }
  | { kind: 'problem'; status: number; body: ProblemBody }
  /** The connection broke, so the service may or may not have done the request. */
  | { kind: 'lost' }

export async function call<T>(
  base: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer<T>> {
  try {
    const response = await fetch(`${base}${path}`, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    const parsed = text === '' ? null : JSON.parse(text)
    return response.ok
      ? { kind: 'answer', status: response.status, body: parsed }
      : { kind: 'problem', status: response.status, body: parsed }
  } catch {
    return { kind: 'lost' }
  }
}

export const recordTurn = (base: string, id: string, turn: NewTurn, key?: string) =>
  call<RecordedTurn>(
    base,
    'POST',
    `/v1/conversations/${id}/turns`,
    turn,
    key === undefined ? {} : { 'idempotency-key': key },
  )

export const attach = (base: string, id: string, messageId: string, ttsAudioUrls: string[]) =>
  call<AttachedAudio>(base, 'PUT', `/v1/conversations/${id}/messages/${messageId}/tts`, {
    ttsAudioUrls,
  })

export const createSegment = (base: string, id: string) =>
  call<Segment>(base, 'POST', `/v1/conversations/${id}/segments`, {})

/** The body of an answer. A problem or a lost connection fails the test. */
export function must<T>(answer: Answer<T>): T {
  if (answer.kind === 'answer') return answer.body
  throw new Error(answer.kind === 'lost' ? 'the connection was lost' : JSON.stringify(answer.body))
}
