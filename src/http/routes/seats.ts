/** Turns whose words come after their place, and what was heard of an answer. */
import { authenticate } from '../../auth.ts'
import { passThrough } from '../openapi/component-schemas.ts'
import { bodyProblems, operation } from '../openapi/document.ts'
import { conversationId, messageId, turnKey } from '../openapi/fields.ts'
import { inputs } from '../openapi/parameters.ts'
import { voiceExamples } from '../openapi/voice-examples.ts'
import { answer, nothing } from '../request/answer.ts'
import { readJson, readOptionalJson } from '../request/body.ts'
import type { Router, Services } from '../server.ts'
import { writeProblems } from './turns.ts'

const params = passThrough

export function addSeats(router: Router, { store, decoder, limits }: Services): void {
  const jsonBody = {
    maxBytes: limits.turnBytesMax,
    setting: 'limits.turnBytesMax',
    mediaTypes: ['application/json'],
  }
  const { mediaTypes } = jsonBody
  const ofTurn = inputs({ id: conversationId, key: turnKey })
  const ofMessage = inputs({ id: conversationId, mid: messageId })

  router.post(
    '/v1/conversations/:id/turns/open',
    async ({ request, params }) => {
      const { id, key } = ofTurn.read(request, params)
      const body = decoder.openTurn(await readOptionalJson(request, jsonBody))
      const opened = await store.openTurn(authenticate(request), id, body, key)
      return answer(opened, opened.replayed ? 200 : 201)
    },
    {
      params,
      parse: 'none',
      detail: operation({
        id: 'openTurn',
        tag: 'Voice',
        summary: 'Open a turn',
        description:
          'Gives the human message its place when speech starts, before there are words. Complete it with the same key; a seat whose words are overdue is marked as expired, and takes them all the same.',
        parameters: ofTurn.declared,
        body: {
          schema: 'OpenTurn',
          required: false,
          mediaTypes,
          examples: { now: {}, since: { at: '2026-11-23T09:30:00.123456Z' } },
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
          ...writeProblems,
          'idempotency-key-invalid',
          'idempotency-conflict',
          'seats-too-many',
          'time-invalid',
          'time-ahead',
        ],
      }),
    },
  )

  router.post(
    '/v1/conversations/:id/turns/complete',
    async ({ request, params }) => {
      const { id, key } = ofTurn.read(request, params)
      const halves = decoder.halves(await readJson(request, jsonBody))
      const completed = await store.completeTurn(authenticate(request), id, halves, key)
      return completed === null ? nothing() : answer(completed)
    },
    {
      params,
      parse: 'none',
      detail: operation({
        id: 'completeTurn',
        tag: 'Voice',
        summary: 'Complete an opened turn',
        description:
          'Its human half, its answer, or both, in any order and once each: the same half again changes nothing, another one is refused.',
        parameters: ofTurn.declared,
        body: {
          schema: 'TurnHalves',
          required: true,
          mediaTypes,
          examples: {
            human: { user: voiceExamples.halves.user },
            answer: { assistant: voiceExamples.halves.assistant },
            both: voiceExamples.halves,
          },
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
          ...writeProblems,
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
      }),
    },
  )

  router.post(
    '/v1/conversations/:id/messages/:mid/interrupt',
    async ({ request, params }) => {
      const { id, mid } = ofMessage.read(request, params)
      const body = decoder.interruption(await readJson(request, jsonBody))
      return answer(await store.interrupt(authenticate(request), id, mid, body))
    },
    {
      params,
      parse: 'none',
      detail: operation({
        id: 'interrupt',
        tag: 'Voice',
        summary: 'Report what was heard of an answer',
        description:
          'What was said stays; what was heard stands beside it, and is what an LLM is given. A later report may widen or narrow it; one that is not later changes nothing.',
        parameters: ofMessage.declared,
        body: {
          schema: 'Interruption',
          required: true,
          mediaTypes,
          examples: {
            characters: voiceExamples.interruption,
            parts: { heard: { parts: 1 } },
            words: { heard: { text: 'There is one' } },
          },
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
          ...writeProblems.filter((code) => code !== 'segment-not-found'),
          'message-not-found',
          'message-not-ai',
          'heard-out-of-range',
          'time-invalid',
          'time-ahead',
        ],
      }),
    },
  )
}
