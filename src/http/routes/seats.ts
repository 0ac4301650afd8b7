/** Turns whose words come after their place, and what was heard of an answer. */
import { conversationId, messageId, turnKey } from '../openapi/fields.ts'
import { bodyProblems, conversationWriteProblems } from '../openapi/problem-lists.ts'
import { voiceExamples } from '../openapi/voice-examples.ts'
import { answer, noContent } from '../request/answer.ts'
import { type RouteFactory, route } from './route.ts'

const openTurn: RouteFactory = ({ store, decoder, limits }) =>
  route({
    method: 'POST',
    path: '/v1/conversations/:id/turns/open',
    id: 'openTurn',
    tag: 'Voice',
    summary: 'Open a turn',
    description:
      'Gives the human message its place when speech starts, before there are words. Complete it with the same key; a seat whose words are overdue is marked as expired, and takes them all the same.',
    parameters: { id: conversationId, key: turnKey },
    body: {
      schema: 'OpenTurn',
      required: false,
      examples: { now: {}, since: { at: '2026-11-23T09:30:00.123456Z' } },
      limits,
      decode: (json) => decoder.openTurn(json),
    },
    answers: {
      201: { description: 'Opened.', schema: 'OpenedTurn', example: voiceExamples.openedTurn },
      200: {
        description: 'The key had opened it before: its seat, as it now is.',
        schema: 'OpenedTurn',
        example: { ...voiceExamples.openedTurn, replayed: true },
      },
    },
    problems: [
      ...bodyProblems,
      ...conversationWriteProblems,
      'idempotency-key-invalid',
      'idempotency-conflict',
      'seats-too-many',
      'time-invalid',
      'time-ahead',
    ],
    handle: async (principal, { id, key }, body) => {
      const opened = await store.openTurn(principal, id, body, key)
      return answer(opened, opened.replayed ? 200 : 201)
    },
  })

const completeTurn: RouteFactory = ({ store, decoder, limits }) =>
  route({
    method: 'POST',
    path: '/v1/conversations/:id/turns/complete',
    id: 'completeTurn',
    tag: 'Voice',
    summary: 'Complete an opened turn',
    description:
      'Its human half, its answer, or both, in any order and once each: the same half again changes nothing, another one is refused.',
    parameters: { id: conversationId, key: turnKey },
    body: {
      schema: 'TurnHalves',
      examples: {
        human: { user: voiceExamples.halves.user },
        answer: { assistant: voiceExamples.halves.assistant },
        both: voiceExamples.halves,
      },
      limits,
      decode: (json) => decoder.halves(json),
    },
    answers: {
      200: {
        description: 'The turn as it now is.',
        schema: 'CompletedTurn',
        example: voiceExamples.completedTurn,
      },
      204: { description: 'No responses: nothing was written, and the half stays free.' },
    },
    problems: [
      ...bodyProblems,
      ...conversationWriteProblems,
      'idempotency-key-invalid',
      'idempotency-conflict',
      'turn-not-open',
      'id-taken',
      'time-invalid',
      'time-ahead',
      'url-invalid',
      'urls-too-many',
      'parts-too-many',
    ],
    handle: async (principal, { id, key }, halves) => {
      const completed = await store.completeTurn(principal, id, halves, key)
      return completed === null ? noContent() : answer(completed)
    },
  })

const interrupt: RouteFactory = ({ store, decoder, limits }) =>
  route({
    method: 'POST',
    path: '/v1/conversations/:id/messages/:mid/interrupt',
    id: 'interrupt',
    tag: 'Voice',
    summary: 'Report what was heard of an answer',
    description:
      'What was said stays; what was heard stands beside it, and is what an LLM is given. A later report may widen or narrow it; one that is not later changes nothing.',
    parameters: { id: conversationId, mid: messageId },
    body: {
      schema: 'Interruption',
      examples: {
        characters: voiceExamples.interruption,
        parts: { heard: { parts: 1 } },
        words: { heard: { text: 'There is one' } },
      },
      limits,
      decode: (json) => decoder.interruption(json),
    },
    answers: {
      200: {
        description: 'The message as it now is.',
        schema: 'InterruptedMessage',
        example: voiceExamples.interrupted,
      },
    },
    problems: [
      ...bodyProblems,
      ...conversationWriteProblems.filter((code) => code !== 'segment-not-found'),
      'message-not-found',
      'message-not-ai',
      'heard-out-of-range',
      'time-invalid',
      'time-ahead',
    ],
    handle: async (principal, { id, mid }, report) =>
      answer(await store.interrupt(principal, id, mid, report)),
  })

export const seatRoutes: readonly RouteFactory[] = [openTurn, completeTurn, interrupt]
