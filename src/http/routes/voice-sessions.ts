/** Voice sessions: one spoken session inside a conversation, and its figures. */
import { conversationId, limit, page, voiceSessionId } from '../openapi/fields.ts'
import { bodyProblems, writeProblems } from '../openapi/problem-lists.ts'
import { voiceExamples } from '../openapi/voice-examples.ts'
import { answer } from '../request/answer.ts'
import { listAnswer } from '../request/list-answer.ts'
import { type RouteFactory, route } from './route.ts'

const collection = '/v1/conversations/:id/voice-sessions'

const missing = ['id-invalid', 'conversation-not-found', 'conversation-erased'] as const
const unsettled = ['conversation-busy', 'outcome-unknown'] as const

const startVoiceSession: RouteFactory = ({ store, decoder, limits }) =>
  route({
    method: 'POST',
    path: collection,
    id: 'startVoiceSession',
    tag: 'Voice',
    summary: 'Start a voice session',
    description:
      'The same `id` again answers 200 with the session as it is. A turn that names one that was never started makes it; it takes the metadata given here.',
    parameters: { id: conversationId },
    body: {
      schema: 'NewVoiceSession',
      required: false,
      examples: { named: voiceExamples.newVoiceSession, bare: {} },
      limits,
      decode: (json) => decoder.voiceSession(json),
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
    handle: async (principal, { id }, body) => {
      const { voiceSession, created } = await store.voiceSessions.start(principal, id, body)
      return answer(voiceSession, created ? 201 : 200, {
        location: `/v1/conversations/${id}/voice-sessions/${encodeURIComponent(voiceSession.id)}`,
      })
    },
  })

const listVoiceSessions: RouteFactory = ({ store, limits }) =>
  route({
    method: 'GET',
    path: collection,
    id: 'listVoiceSessions',
    tag: 'Voice',
    summary: 'List the voice sessions of a conversation',
    parameters: { id: conversationId, page, limit: limit(limits.pageLimitMax, 50) },
    answers: {
      200: {
        description: 'One page, in the order in which they started.',
        schema: 'VoiceSessionList',
        example: voiceExamples.voiceSessionList,
      },
    },
    problems: [...missing, 'limit-invalid', 'page-invalid', 'text-invalid'],
    handle: async (principal, { id, ...query }) => {
      const { voiceSessions, ...rest } = await store.voiceSessions.list(principal, id, query)
      return await listAnswer('voiceSessions', voiceSessions, rest)
    },
  })

const getVoiceSession: RouteFactory = ({ store }) =>
  route({
    method: 'GET',
    path: `${collection}/:vid`,
    id: 'getVoiceSession',
    tag: 'Voice',
    summary: 'Read a voice session and its figures',
    parameters: { id: conversationId, vid: voiceSessionId },
    answers: {
      200: {
        description: 'The session.',
        schema: 'VoiceSessionReport',
        example: voiceExamples.voiceSessionReport,
      },
    },
    problems: [...missing, 'text-invalid', 'voice-session-not-found'],
    handle: async (principal, { id, vid }) =>
      answer(await store.voiceSessions.get(principal, id, vid)),
  })

const endVoiceSession: RouteFactory = ({ store }) =>
  route({
    method: 'POST',
    path: `${collection}/:vid/end`,
    id: 'endVoiceSession',
    tag: 'Voice',
    summary: 'End a voice session',
    description: 'Turns may still name it: transcripts come late.',
    parameters: { id: conversationId, vid: voiceSessionId },
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
    handle: async (principal, { id, vid }) =>
      answer((await store.voiceSessions.end(principal, id, vid)).voiceSession),
  })

export const voiceSessionRoutes: readonly RouteFactory[] = [
  startVoiceSession,
  listVoiceSessions,
  getVoiceSession,
  endVoiceSession,
]
