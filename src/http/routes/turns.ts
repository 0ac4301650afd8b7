/** Turns: recording them. */
import { messageText } from '../../conversation/wire/message-text.ts'
import { examples } from '../openapi/examples.ts'
import { conversationId, idempotencyKey } from '../openapi/fields.ts'
import { bodyProblems, conversationWriteProblems } from '../openapi/problem-lists.ts'
import { noContent, textAnswer, textWithMessages } from '../request/answer.ts'
import { type RouteFactory, route } from './route.ts'

const recordTurn: RouteFactory = ({ store, decoder, limits }) =>
  route({
    method: 'POST',
    path: '/v1/conversations/:id/turns',
    id: 'recordTurn',
    tag: 'Turns',
    summary: 'Record a turn',
    description:
      'A human message and its answer, or an AI message alone, in one commit. With an `Idempotency-Key` a retry is safe: the same key and body answer the turn as it was recorded.',
    parameters: { id: conversationId, key: idempotencyKey },
    body: {
      schema: 'NewTurn',
      examples: {
        text: { user: { text: 'Hello' }, assistant: { responses: ['Hello!'] } },
        voice: examples.newTurn,
        aiOnly: { assistant: { responses: ['Are you still there?'] } },
      },
      limits,
      decode: (json) => decoder.turn(json),
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
      ...conversationWriteProblems,
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
    handle: async (principal, { id, key }, turn) => {
      const recorded = await store.recordTurn(principal, id, turn, key)
      if (recorded === null) return noContent()
      const { humanMessageId, assistantMessageId, version, cursor, messages, replayed } = recorded
      const before = { humanMessageId, assistantMessageId, version, cursor }
      const text = textWithMessages(messages.map(messageText), before, { replayed })
      return textAnswer(text, replayed ? 200 : 201)
    },
  })

export const turnRoutes: readonly RouteFactory[] = [recordTurn]
