/** Routes of voice sessions. */
import { newId } from '../wire/new-ids.ts'
import type { Rest } from './rest-api.ts'
import { named, path, type RestCalls } from './rest-calls.ts'

export function voiceSessionRoutes(
  calls: RestCalls,
): Pick<Rest, 'startVoiceSession' | 'listVoiceSessions' | 'getVoiceSession' | 'endVoiceSession'> {
  return {
    startVoiceSession: async (conversationId, body = {}, options = {}) =>
      calls.some(
        {
          method: 'POST',
          path: path(conversationId, 'voice-sessions'),
          ...named(body, 'id', newId),
        },
        options,
      ),
    listVoiceSessions: async (conversationId, options = {}) =>
      calls.read(path(conversationId, 'voice-sessions'), options),
    getVoiceSession: async (conversationId, id, options = {}) =>
      calls.read(path(conversationId, 'voice-sessions', id), options),
    endVoiceSession: async (conversationId, id, options = {}) =>
      calls.some(
        {
          method: 'POST',
          path: path(conversationId, 'voice-sessions', id, 'end'),
          onlyOnce: true,
        },
        options,
      ),
  }
}
