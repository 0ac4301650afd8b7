/** Turns: recording them, and attaching the audio they were spoken with. */
import { authenticate } from '../auth.ts'
import type { AttachedAudio } from '../conversation/wire-audio.ts'
import type { ProblemCode } from '../problem.ts'
import { answer, nothing } from './answer.ts'
import { readJson } from './body.ts'
import { examples } from './examples.ts'
import { conversationId, idempotencyKey, messageId } from './fields.ts'
import { bodyProblems, operation } from './openapi.ts'
import { inputs } from './parameters.ts'
import { passThrough } from './schema.ts'
import type { Router, Services } from './server.ts'

const writeProblems = [
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
  const ofMessage = inputs({ id: conversationId, mid: messageId })
  const ofLatest = inputs({ id: conversationId })

  router.post(
    '/v1/conversations/:id/turns',
    async ({ request, params }) => {
      const { id, key } = ofTurn.read(request, params)
      const turn = decoder.turn(await readJson(request, jsonBody))
      const recorded = await store.recordTurn(authenticate(request), id, turn, key)
      return recorded === null ? nothing() : answer(recorded, recorded.replayed ? 200 : 201)
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

  const attachment = (id: string, summary: string, declared: typeof ofLatest.declared) => ({
    params: passThrough,
    parse: 'none' as const,
    detail: operation({
      id,
      tag: 'Turns',
      summary,
      description:
        '`ttsAudioUrls` replaces all URLs of the message; `part` and `ttsAudioUrl` set one. A `segmentId` tags the message and gives the segment the same audio, unless `updateSegment` is false. What changes nothing takes no version.',
      parameters: declared,
      body: {
        schema: 'Attach',
        required: true,
        mediaTypes: jsonBody.mediaTypes,
        examples: {
          all: examples.attachAll,
          part: examples.attachPart,
          withSegment: examples.attachWithSegment,
        },
      },
      answers: {
        200: {
          description: 'The message as it now is.',
          schema: 'AttachedAudio',
          example: examples.attachedAudio,
        },
        204: { description: 'Nothing to attach, or no AI message to attach it to.' },
      },
      problems: [
        ...bodyProblems,
        ...writeProblems,
        ...('mid' in declared ? (['message-not-found', 'message-not-ai'] as const) : []),
        'url-invalid',
        'urls-too-many',
        'part-out-of-range',
      ],
    }),
  })

  const attached = (audio: AttachedAudio | null) => (audio === null ? nothing() : answer(audio))

  router.put(
    '/v1/conversations/:id/messages/:mid/tts',
    async ({ request, params }) => {
      const { id, mid } = ofMessage.read(request, params)
      const body = decoder.attach(await readJson(request, jsonBody))
      return attached(await store.attachTts(authenticate(request), id, mid, body))
    },
    attachment('attachTts', 'Attach audio to an AI message', ofMessage.declared),
  )

  router.put(
    '/v1/conversations/:id/tts',
    async ({ request, params }) => {
      const { id } = ofLatest.read(request, params)
      const body = decoder.attach(await readJson(request, jsonBody))
      return attached(await store.attachTts(authenticate(request), id, undefined, body))
    },
    attachment('attachTtsToLatest', 'Attach audio to the latest AI message', ofLatest.declared),
  )
}
