/** Routes for the audio (TTS) of AI messages. */
import type { Attach, AttachByKey, AttachedAudio } from '../../conversation/wire/audio-schemas.ts'
import { examples } from '../openapi/examples.ts'
import { conversationId, messageId } from '../openapi/fields.ts'
import { bodyProblems, conversationWriteProblems } from '../openapi/problem-lists.ts'
import { voiceExamples } from '../openapi/voice-examples.ts'
import { answer, noContent } from '../request/answer.ts'
import { type RouteFactory, route } from './route.ts'

const description =
  'Stores the URLs of the spoken parts (TTS) of an AI message. Send `ttsAudioUrls` to replace all URLs, or `part` and `ttsAudioUrl` to set the URL of one part. With a `segmentId`, the message is tagged with the segment, and the segment gets the same audio unless `updateSegment` is false. With a `textHash`, audio of another text than the part has is refused with `audio-stale`. A request that changes nothing keeps the version.'

const bodyExamples = {
  all: examples.attachAll,
  part: examples.attachPart,
  withSegment: examples.attachWithSegment,
}

const attachedNow = {
  description: 'The audio is attached: the message in its new state.',
  schema: 'AttachedAudio',
  example: examples.attachedAudio,
} as const

const noUrl = { description: 'Nothing was written: the list contains no URL.' }

const noUrlOrMessage = {
  description:
    'Nothing was written: the list contains no URL, or the conversation has no AI message yet.',
}

const audioProblems = ['url-invalid', 'urls-too-many', 'part-out-of-range', 'audio-stale'] as const

const attached = (audio: AttachedAudio | null): Response =>
  audio === null ? noContent() : answer(audio)

const attachTts: RouteFactory = ({ store, decoder, limits }) =>
  route({
    method: 'PUT',
    path: '/v1/conversations/:id/messages/:mid/tts',
    id: 'attachTts',
    tag: 'Turns',
    summary: 'Attach audio to an AI message',
    description,
    parameters: { id: conversationId, mid: messageId },
    body: {
      schema: 'Attach',
      examples: bodyExamples,
      limits,
      decode: (json) => decoder.attach(json),
    },
    answers: { 200: attachedNow, 204: noUrl },
    problems: [
      ...bodyProblems,
      ...conversationWriteProblems,
      'message-not-found',
      'message-not-ai',
      ...audioProblems,
    ],
    handle: async (principal, { id, mid }, audio) =>
      attached(await store.attachTts(principal, id, mid, audio)),
  })

const isByKey = (body: unknown) => typeof body === 'object' && body !== null && 'key' in body

const attachTtsToLatest: RouteFactory = ({ store, decoder, limits }) =>
  route({
    method: 'PUT',
    path: '/v1/conversations/:id/tts',
    id: 'attachTtsToLatest',
    tag: 'Turns',
    summary: 'Attach audio to the latest AI message, or to the answer of a turn',
    description: `${description} Without a \`key\`, the latest AI message is meant. With a \`key\`, it is the answer of the turn that has this idempotency key; the audio may arrive before its turn.`,
    parameters: { id: conversationId },
    body: {
      schema: 'AttachAnywhere',
      examples: { ...bodyExamples, byKey: voiceExamples.attachByKey },
      limits,
      decode: (body: unknown): Attach | AttachByKey =>
        isByKey(body) ? decoder.attachByKey(body) : decoder.attach(body),
    },
    answers: {
      200: attachedNow,
      202: {
        description:
          'The turn with this key has no answer yet. The audio waits for it until `heldUntil` and is then attached.',
        schema: 'HeldAudio',
        example: voiceExamples.heldAudio,
      },
      204: noUrlOrMessage,
    },
    problems: [
      ...bodyProblems,
      ...conversationWriteProblems,
      ...audioProblems,
      'held-audio-too-much',
    ],
    handle: async (principal, { id }, body) => {
      if (!('key' in body)) return attached(await store.attachTts(principal, id, undefined, body))
      const audio = await store.attachByKey(principal, id, body)
      return answer(audio, 'heldUntil' in audio ? 202 : 200)
    },
  })

export const audioRoutes: readonly RouteFactory[] = [attachTts, attachTtsToLatest]
