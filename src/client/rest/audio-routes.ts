/** Routes of segments, and of the audio of messages. */
import type { AttachedAudio, HeldAudio } from '../../conversation/wire/audio-schemas.ts'
import { newId } from '../wire/new-ids.ts'
import { jsonText } from '../wire/plain-json.ts'
import type { Call, CallOptions } from './call.ts'
import type { Rest } from './rest-api.ts'
import { named, path, type RestCalls } from './rest-calls.ts'

export function audioRoutes(
  calls: RestCalls,
): Pick<
  Rest,
  | 'createSegment'
  | 'listSegments'
  | 'getSegment'
  | 'attachTts'
  | 'attachTtsToLatest'
  | 'attachByKey'
> {
  /** Null: there was nothing to attach. */
  const attach = async <Answer extends AttachedAudio | HeldAudio>(
    conversationId: string,
    at: string,
    audio: object,
    options: CallOptions = {},
    onlyOnce = false,
  ) => {
    const call: Call = { method: 'PUT', path: at, body: jsonText(audio), onlyOnce }
    return calls.noted(conversationId, await calls.request<Answer>(call, options))
  }

  return {
    createSegment: async (conversationId, body = {}, options = {}) =>
      calls.some(
        {
          method: 'POST',
          path: path(conversationId, 'segments'),
          ...named(body, 'id', newId),
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
      const at = path(conversationId, 'tts')
      // By a key, audio is attached or held: the answer is no 204.
      return (await attach(conversationId, at, audio, options)) as AttachedAudio | HeldAudio
    },
  }
}
