/** The calls of the routes of voice sessions. */
import { newId } from '../wire/new-ids.ts'
import { path, type RestCalls, withName } from './rest-calls.ts'
import type { VoiceSessionApi } from './voice-session-api.ts'

export function voiceSessionRoutes(calls: RestCalls): VoiceSessionApi {
  return {
    startVoiceSession: async (conversationId, body = {}, options = {}) =>
      calls.send(
        {
          method: 'POST',
          path: path(conversationId, 'voice-sessions'),
          ...withName(body, 'id', newId),
        },
        options,
      ),
    listVoiceSessions: async (conversationId, options = {}) =>
      calls.read(path(conversationId, 'voice-sessions'), options),
    getVoiceSession: async (conversationId, id, options = {}) =>
      calls.read(path(conversationId, 'voice-sessions', id), options),
    endVoiceSession: async (conversationId, id, options = {}) =>
      calls.send(
        {
          method: 'POST',
          path: path(conversationId, 'voice-sessions', id, 'end'),
          onlyOnce: true,
        },
        options,
      ),
  }
}
