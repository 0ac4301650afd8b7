/** Routes for voice sessions: periods of speech in a conversation, and their figures. */
import { conversationId, limit, page, voiceSessionId } from '../openapi/fields.ts'
import { bodyProblems, writeProblems } from '../openapi/problem-lists.ts'
import { voiceExamples } from '../openapi/voice-examples.ts'
import { answer } from '../request/answer.ts'
import { listAnswer } from '../request/list-answer.ts'
import { type RouteFactory, route } from './route.ts'

const collection = '/v1/conversations/:id/voice-sessions'

const notFound = ['id-invalid', 'conversation-not-found', 'conversation-erased'] as const
const writeOutcomes = ['conversation-busy', 'outcome-unknown'] as const

const startVoiceSession: RouteFactory = ({ store, decoder, limits }) =>
  route({
    method: 'POST',
    path: collection,
    id: 'startVoiceSession',
    tag: 'Voice',
    summary: 'Start a voice session',
    description:
      'Send an `id` of your own (a call id, for example) to make retries safe: the same `id` again answers 200 with the present state of the session. A turn that names a session which was never started creates it; starting it afterwards adds the metadata.',
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
        description: 'The voice session was started.',
        schema: 'VoiceSession',
        example: voiceExamples.voiceSession,
        headers: { Location: 'The path of the voice session.' },
      },
      200: {
        description: 'A voice session with this `id` was started before.',
        schema: 'VoiceSession',
        example: voiceExamples.voiceSession,
        headers: { Location: 'The path of the voice session.' },
      },
    },
    problems: [
      ...bodyProblems,
      ...notFound,
      ...writeOutcomes,
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
    description:
      'Returns one page. Send its `nextPage` as `page` for the next one, until `nextPage` is null.',
    parameters: { id: conversationId, page, limit: limit(limits.pageLimitMax, 50) },
    answers: {
      200: {
        description: 'One page of voice sessions, in the order in which they started.',
        schema: 'VoiceSessionList',
        example: voiceExamples.voiceSessionList,
      },
    },
    problems: [...notFound, 'limit-invalid', 'page-invalid', 'text-invalid'],
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
        description:
          'The voice session and its figures: turns, seconds of audio, interruptions, response time.',
        schema: 'VoiceSessionReport',
        example: voiceExamples.voiceSessionReport,
      },
    },
    problems: [...notFound, 'text-invalid', 'voice-session-not-found'],
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
    description:
      'Turns may still name the session after its end, because transcripts (STT) can arrive late.',
    parameters: { id: conversationId, vid: voiceSessionId },
    answers: {
      200: {
        description: 'The voice session has ended.',
        schema: 'VoiceSession',
        example: { ...voiceExamples.voiceSession, endedAt: '2026-11-23T09:34:00.000000Z' },
      },
    },
    problems: [
      ...writeProblems,
      ...notFound,
      ...writeOutcomes,
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
