/** Turns: recording them. */
import { authenticate } from '../../auth.ts'
import { messageText } from '../../conversation/wire/message-text.ts'
import type { ProblemCode } from '../../problem.ts'
import { passThrough } from '../openapi/component-schemas.ts'
import { bodyProblems, operation } from '../openapi/document.ts'
import { examples } from '../openapi/examples.ts'
import { conversationId, idempotencyKey } from '../openapi/fields.ts'
import { inputs } from '../openapi/parameters.ts'
import { nothing, textAnswer, textWithMessages } from '../request/answer.ts'
import { readJson } from '../request/body.ts'
import type { Router, Services } from '../server.ts'

/** Of every write to a conversation. */
export const writeProblems = [
  'id-invalid',
  'conversation-not-found',
  'conversation-erased',
  'segment-not-found',
  'conversation-busy',
  'outcome-unknown',
] as const satisfies readonly ProblemCode[]

export function addTurns(router: Router, { store, decoder, limits }: Services): void {
  const jsonBody = {
    maxBytes: limits.turnBytesMax,
    setting: 'limits.turnBytesMax',
    mediaTypes: ['application/json'],
  }
  const ofTurn = inputs({ id: conversationId, key: idempotencyKey })

  router.post(
    '/v1/conversations/:id/turns',
    async ({ request, params }) => {
      const { id, key } = ofTurn.read(request, params)
      const turn = decoder.turn(await readJson(request, jsonBody))
      const recorded = await store.recordTurn(authenticate(request), id, turn, key)
      if (recorded === null) return nothing()
      const { humanMessageId, assistantMessageId, version, cursor, messages, replayed } = recorded
      const before = { humanMessageId, assistantMessageId, version, cursor }
      const text = textWithMessages(messages.map(messageText), before, { replayed })
      return textAnswer(text, replayed ? 200 : 201)
    },
    {
      params: passThrough,
      parse: 'none',
      detail: operation({
        id: 'recordTurn',
        tag: 'Turns',
        summary: 'Record a turn',
        description:
          'A human message and its answer, or an AI message alone, in one commit. With an `Idempotency-Key` a retry is safe: the same key and body answer the turn as it was recorded.',
        parameters: ofTurn.declared,
        body: {
          schema: 'NewTurn',
          required: true,
          mediaTypes: jsonBody.mediaTypes,
          examples: {
            text: { user: { text: 'Hello' }, assistant: { responses: ['Hello!'] } },
            voice: examples.newTurn,
            aiOnly: { assistant: { responses: ['Are you still there?'] } },
          },
        },
        answers: {
          201: {
            description: 'Recorded.',
            schema: 'RecordedTurn',
            example: examples.recordedTurn,
          },
          200: {
            description:
              'The key had recorded it before: its ids and version, and its messages as they now are.',
            schema: 'RecordedTurn',
            example: { ...examples.recordedTurn, replayed: true },
          },
          204: { description: 'No responses: nothing was recorded, and the key stays free.' },
        },
        problems: [
          ...bodyProblems,
          ...writeProblems,
          'idempotency-key-invalid',
          'idempotency-conflict',
          'id-taken',
          'time-invalid',
          'time-ahead',
          'url-invalid',
          'urls-too-many',
          'parts-too-many',
          'json-too-large',
          'segment-without-user',
          'overloaded',
        ],
      }),
    },
  )
}
