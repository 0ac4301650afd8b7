/** Routes for turns whose words arrive later than their seat, and for interruptions (barge-in). */
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
    summary: 'Open a turn when speech starts, before its words are known',
    description:
      'Reserves the `seq` of the human message: a seat. When the transcript (STT) arrives, complete the turn with the same `Idempotency-Key`. A seat that waits too long is marked as expired, but late words still fill it.',
    parameters: { id: conversationId, key: turnKey },
    body: {
      schema: 'OpenTurn',
      required: false,
      examples: { now: {}, since: { at: '2026-11-23T09:30:00.123456Z' } },
      limits,
      decode: (json) => decoder.openTurn(json),
    },
    answers: {
      201: {
        description: 'The turn was opened.',
        schema: 'OpenedTurn',
        example: voiceExamples.openedTurn,
      },
      200: {
        description: 'This key opened the turn before: its seat in its present state.',
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
      'Send the human half (`user`), the answer (`assistant`), or both. The halves may arrive in any order, each once: sending the same half again changes nothing, and a different one is refused with `idempotency-conflict`.',
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
        description: 'The turn in its new state.',
        schema: 'CompletedTurn',
        example: voiceExamples.completedTurn,
      },
      204: {
        description:
          '`responses` has no text: nothing was written, and the answer can still be sent.',
      },
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
    summary: 'Report an interruption (barge-in): how much of an AI message was heard',
    description:
      'Stores which part of the message the listener heard before the interruption. The message keeps its whole text; the view `heard` of the history, which an LLM gets by default, ends where the listener stopped hearing. A report with an earlier time `at` than the stored one changes nothing. `heard: null` takes the report back. The answer says whether anything `changed`.',
    parameters: { id: conversationId, mid: messageId },
    body: {
      schema: 'Interruption',
      examples: {
        characters: voiceExamples.interruption,
        parts: { heard: { parts: 1 } },
        words: { heard: { text: 'There is one' } },
        takenBack: { heard: null },
      },
      limits,
      decode: (json) => decoder.interruption(json),
    },
    answers: {
      200: {
        description: 'The message in its new state.',
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
