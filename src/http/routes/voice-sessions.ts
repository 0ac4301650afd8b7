/** Voice sessions: one spoken session inside a conversation, and its figures. */
import { authenticate } from '../../auth.ts'
import { passThrough } from '../openapi/component-schemas.ts'
import { bodyProblems, operation, writeProblems } from '../openapi/document.ts'
import { conversationId, limit, page, voiceSessionId } from '../openapi/fields.ts'
import { inputs } from '../openapi/parameters.ts'
import { voiceExamples } from '../openapi/voice-examples.ts'
import { answer } from '../request/answer.ts'
import { readOptionalJson } from '../request/body.ts'
import { listAnswer } from '../request/list-answer.ts'
import type { Router, Services } from '../server.ts'

const collection = '/v1/conversations/:id/voice-sessions'
const params = passThrough

const missing = ['id-invalid', 'conversation-not-found', 'conversation-erased'] as const
const unsettled = ['conversation-busy', 'outcome-unknown'] as const

export function addVoiceSessions(router: Router, { store, decoder, limits }: Services): void {
  const jsonBody = {
    maxBytes: limits.turnBytesMax,
    setting: 'limits.turnBytesMax',
    mediaTypes: ['application/json'],
  }
  const { voiceSessions } = store
  const ofNew = inputs({ id: conversationId })
  const ofList = inputs({ id: conversationId, page, limit: limit(limits.pageLimitMax, 50) })
  const ofOne = inputs({ id: conversationId, vid: voiceSessionId })

  router.post(
    collection,
    async ({ request, params }) => {
      const { id } = ofNew.read(request, params)
      const body = decoder.voiceSession(await readOptionalJson(request, jsonBody))
      const started = await voiceSessions.start(authenticate(request), id, body)
      return answer(started.voiceSession, started.created ? 201 : 200, {
        location: `/v1/conversations/${id}/voice-sessions/${encodeURIComponent(started.voiceSession.id)}`,
      })
    },
    {
      params,
      parse: 'none',
      detail: operation({
        id: 'startVoiceSession',
        tag: 'Voice',
        summary: 'Start a voice session',
        description:
          'The same `id` again answers 200 with the session as it is. A turn that names one that was never started makes it; it takes the metadata given here.',
        parameters: ofNew.declared,
        body: {
          schema: 'NewVoiceSession',
          required: false,
          mediaTypes: jsonBody.mediaTypes,
          examples: { named: voiceExamples.newVoiceSession, bare: {} },
        },
        answers: {
          201: {
            description: 'Started.',
            schema: 'VoiceSession',
            example: voiceExamples.voiceSession,
            headers: { Location: 'Where it is.' },
          },
          200: {
            description: 'It had been started already.',
            schema: 'VoiceSession',
            example: voiceExamples.voiceSession,
            headers: { Location: 'Where it is.' },
          },
        },
        problems: [
          ...bodyProblems,
          ...missing,
          ...unsettled,
          'voice-session-ended',
          'voice-session-taken',
        ],
      }),
    },
  )

  router.get(
    collection,
    async ({ request, params }) => {
      const { id, ...query } = ofList.read(request, params)
      const list = await voiceSessions.list(authenticate(request), id, query)
      const { voiceSessions: sessions, ...rest } = list
      return await listAnswer('voiceSessions', sessions, rest)
    },
    {
      params,
      detail: operation({
        id: 'listVoiceSessions',
        tag: 'Voice',
        summary: 'List the voice sessions of a conversation',
        parameters: ofList.declared,
        answers: {
          200: {
            description: 'One page, in the order in which they started.',
            schema: 'VoiceSessionList',
            example: voiceExamples.voiceSessionList,
          },
        },
        problems: [...missing, 'limit-invalid', 'page-invalid', 'text-invalid'],
      }),
    },
  )

  router.get(
    `${collection}/:vid`,
    async ({ request, params }) => {
      const { id, vid } = ofOne.read(request, params)
      return answer(await voiceSessions.get(authenticate(request), id, vid))
    },
    {
      params,
      detail: operation({
        id: 'getVoiceSession',
        tag: 'Voice',
        summary: 'Read a voice session and its figures',
        parameters: ofOne.declared,
        answers: {
          200: {
            description: 'The session.',
            schema: 'VoiceSessionReport',
            example: voiceExamples.voiceSessionReport,
          },
        },
        problems: [...missing, 'text-invalid', 'voice-session-not-found'],
      }),
    },
  )

  router.post(
    `${collection}/:vid/end`,
    async ({ request, params }) => {
      const { id, vid } = ofOne.read(request, params)
      return answer((await voiceSessions.end(authenticate(request), id, vid)).voiceSession)
    },
    {
      params,
      parse: 'none',
      detail: operation({
        id: 'endVoiceSession',
        tag: 'Voice',
        summary: 'End a voice session',
        description: 'Turns may still name it: transcripts come late.',
        parameters: ofOne.declared,
        answers: {
          200: {
            description: 'Ended.',
            schema: 'VoiceSession',
            example: { ...voiceExamples.voiceSession, endedAt: '2026-11-23T09:34:00.000000Z' },
          },
        },
        problems: [
          ...writeProblems,
          ...missing,
          ...unsettled,
          'text-invalid',
          'voice-session-not-found',
          'voice-session-ended',
        ],
      }),
    },
  )
}
