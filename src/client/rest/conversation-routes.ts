/** The calls of the routes of conversations, their messages and their changes. */
import type { ErasureReceipt } from '../../conversation/wire/schemas.ts'
import { newId } from '../wire/new-ids.ts'
import { jsonText } from '../wire/plain-json.ts'
import type { ConversationApi } from './conversation-api.ts'
import { path, type RestCalls, withName } from './rest-calls.ts'

export function conversationRoutes(calls: RestCalls): ConversationApi {
  return {
    createConversation: async (body = {}, options = {}) =>
      calls.send(
        {
          method: 'POST',
          path: path(),
          // No id is made if there is an external id: with a new id, a repeated call would find the external id taken.
          ...withName(body, 'id', newId, 'externalId'),
        },
        options,
      ),
    listConversations: async (options = {}) => calls.read(path(), options),
    getConversation: async (id, options = {}) => calls.read(path(id), options),
    patchConversation: async (id, patch, { ifMatch, ...options } = {}) =>
      calls.send(
        {
          method: 'PATCH',
          path: path(id),
          body: jsonText(patch),
          onlyOnce: true,
          ...(ifMatch === undefined ? {} : { headers: { 'if-match': String(ifMatch) } }),
        },
        options,
      ),
    eraseConversation: async (id, options = {}) =>
      calls.note(
        id,
        await calls.send<ErasureReceipt>({ method: 'DELETE', path: path(id) }, options),
      ),
    listMessages: async (conversationId, options = {}) =>
      calls.read(path(conversationId, 'messages'), calls.withFreshness(conversationId, options)),
    getHistory: async (conversationId, options = {}) =>
      calls.read(path(conversationId, 'history'), calls.withFreshness(conversationId, options)),
    listChanges: async (conversationId, options = {}) =>
      calls.read(path(conversationId, 'changes'), options),
  }
}
