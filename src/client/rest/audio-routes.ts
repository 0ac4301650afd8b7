/** The calls of the routes of segments and of audio. */
import type { AttachedAudio, HeldAudio } from '../../conversation/wire/audio-schemas.ts'
import { newId } from '../wire/new-ids.ts'
import { jsonText } from '../wire/plain-json.ts'
import type { AudioApi } from './audio-api.ts'
import type { Call, CallOptions } from './call.ts'
import { path, type RestCalls, withName } from './rest-calls.ts'

export function audioRoutes(calls: RestCalls): AudioApi {
  /** Attaches audio at a path. Returns null if there was nothing to attach. */
  const attach = async <Answer extends AttachedAudio | HeldAudio>(
    conversationId: string,
    route: string,
    audio: object,
    options: CallOptions = {},
    onlyOnce = false,
  ) => {
    const call: Call = { method: 'PUT', path: route, body: jsonText(audio), onlyOnce }
    return calls.note(conversationId, await calls.request<Answer>(call, options))
  }

  return {
    createSegment: async (conversationId, body = {}, options = {}) =>
      calls.send(
        {
          method: 'POST',
          path: path(conversationId, 'segments'),
          ...withName(body, 'id', newId),
        },
        options,
      ),
    listSegments: async (conversationId, options = {}) =>
      calls.read(path(conversationId, 'segments'), options),
    getSegment: async (conversationId, id, options = {}) =>
      calls.read(path(conversationId, 'segments', id), options),
    attachTts: async (conversationId, messageId, audio, options) =>
      attach(conversationId, path(conversationId, 'messages', messageId, 'tts'), audio, options),
    attachTtsToLatest: async (conversationId, audio, options) =>
      attach(conversationId, path(conversationId, 'tts'), audio, options, true),
    attachByKey: async (conversationId, audio, options) => {
      const route = path(conversationId, 'tts')
      // Audio with a key is attached or held, so the answer is never a 204.
      return (await attach(conversationId, route, audio, options)) as AttachedAudio | HeldAudio
    },
  }
}
