/** The audio that answers were spoken with. */
import { authenticate } from '../../auth.ts'
import type { AttachedAudio } from '../../conversation/wire/audio-schemas.ts'
import { passThrough } from '../openapi/component-schemas.ts'
import { bodyProblems, operation } from '../openapi/document.ts'
import { examples } from '../openapi/examples.ts'
import { conversationId, messageId } from '../openapi/fields.ts'
import { inputs } from '../openapi/parameters.ts'
import { voiceExamples } from '../openapi/voice-examples.ts'
import { answer, nothing } from '../request/answer.ts'
import { readJson } from '../request/body.ts'
import type { Router, Services } from '../server.ts'
import { writeProblems } from './turns.ts'

const isByKey = (body: unknown) => typeof body === 'object' && body !== null && 'key' in body

export function addAudio(router: Router, { store, decoder, limits }: Services): void {
  const jsonBody = {
    maxBytes: limits.turnBytesMax,
    setting: 'limits.turnBytesMax',
    mediaTypes: ['application/json'],
  }
  const ofMessage = inputs({ id: conversationId, mid: messageId })
  const ofLatest = inputs({ id: conversationId })

  const attachment = (
    id: string,
    summary: string,
    declared: typeof ofLatest.declared,
    schema: 'Attach' | 'AttachAnywhere',
  ) => ({
    params: passThrough,
    parse: 'none' as const,
    detail: operation({
      id,
      tag: 'Turns',
      summary,
      description:
        '`ttsAudioUrls` replaces all URLs of the message; `part` and `ttsAudioUrl` set one. A `segmentId` tags the message and gives the segment the same audio, unless `updateSegment` is false. A `textHash` refuses audio of another text than the part has. What changes nothing takes no version.',
      parameters: declared,
      body: {
        schema,
        required: true,
        mediaTypes: jsonBody.mediaTypes,
        examples: {
          all: examples.attachAll,
          part: examples.attachPart,
          withSegment: examples.attachWithSegment,
          ...(schema === 'Attach' ? {} : { byKey: voiceExamples.attachByKey }),
        },
      },
      answers: {
        200: {
          description: 'The message as it now is.',
          schema: 'AttachedAudio',
          example: examples.attachedAudio,
        },
        ...(schema === 'Attach'
          ? {}
          : {
              202: {
                description: 'The turn of the key has no answer yet: the audio waits for it.',
                schema: 'HeldAudio' as const,
                example: voiceExamples.heldAudio,
              },
            }),
        204: { description: 'Nothing to attach, or no AI message to attach it to.' },
      },
      problems: [
        ...bodyProblems,
        ...writeProblems,
        ...('mid' in declared ? (['message-not-found', 'message-not-ai'] as const) : []),
        'url-invalid',
        'urls-too-many',
        'part-out-of-range',
        'audio-stale',
        ...(schema === 'Attach' ? [] : (['held-audio-too-much'] as const)),
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
    attachment('attachTts', 'Attach audio to an AI message', ofMessage.declared, 'Attach'),
  )

  router.put(
    '/v1/conversations/:id/tts',
    async ({ request, params }) => {
      const { id } = ofLatest.read(request, params)
      const principal = authenticate(request)
      const body = await readJson(request, jsonBody)
      if (!isByKey(body))
        return attached(await store.attachTts(principal, id, undefined, decoder.attach(body)))
      const audio = await store.attachByKey(principal, id, decoder.attachByKey(body))
      return answer(audio, 'heldUntil' in audio ? 202 : 200)
    },
    attachment(
      'attachTtsToLatest',
      'Attach audio to the latest AI message, or to the answer of a turn',
      ofLatest.declared,
      'AttachAnywhere',
    ),
  )
}
