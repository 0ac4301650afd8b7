/** The route that records turns. */
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
      'Records a human message and its AI answer, or an AI message alone, in one transaction. Send an `Idempotency-Key` to make retries safe: the same key and body again return the turn that was recorded. After 503 `outcome-unknown`, send the same request with the same key.',
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
        description: 'The turn was recorded.',
        schema: 'RecordedTurn',
        example: examples.recordedTurn,
      },
      200: {
        description:
          'This key recorded the turn before: its ids and version, with its messages in their present state.',
        schema: 'RecordedTurn',
        example: { ...examples.recordedTurn, replayed: true },
      },
      204: {
        description:
          '`responses` has no text: nothing was recorded, and the key can be used for another turn.',
      },
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
