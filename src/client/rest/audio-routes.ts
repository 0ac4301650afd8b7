/** Routes of segments, and of the audio of messages. */
import type { Attach, AttachedAudio, HeldAudio } from '../../conversation/wire/audio-schemas.ts'
import { newId } from '../wire/new-ids.ts'
import { printed } from '../wire/plain-json.ts'
import type { CallOptions } from './call.ts'
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
  const attach = async (
    conversationId: string,
    at: string,
    audio: Attach,
    onlyOnce: boolean,
    options: CallOptions = {},
  ) =>
    calls.noted(
      conversationId,
      await calls.request<AttachedAudio>(
        { method: 'PUT', path: at, body: printed(audio), onlyOnce },
        options,
      ),
    )

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
      attach(
        conversationId,
        path(conversationId, 'messages', messageId, 'tts'),
        audio,
        false,
        options,
      ),
    attachTtsToLatest: async (conversationId, audio, options) =>
      attach(conversationId, path(conversationId, 'tts'), audio, true, options),
    attachByKey: async (conversationId, audio, options = {}) =>
      calls.noted(
        conversationId,
        await calls.some<AttachedAudio | HeldAudio>(
          {
            method: 'PUT',
            path: path(conversationId, 'tts'),
            body: printed(audio),
          },
          options,
        ),
      ),
  }
}
