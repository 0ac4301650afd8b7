/** Routes of conversations, and of what is read of one. */
import type { ErasureReceipt } from '../../conversation/wire/schemas.ts'
import { newId } from '../wire/new-ids.ts'
import { jsonText } from '../wire/plain-json.ts'
import type { Rest } from './rest-api.ts'
import { named, path, type RestCalls } from './rest-calls.ts'

export function conversationRoutes(
  calls: RestCalls,
): Pick<
  Rest,
  | 'createConversation'
  | 'listConversations'
  | 'getConversation'
  | 'patchConversation'
  | 'eraseConversation'
  | 'listMessages'
  | 'getHistory'
  | 'listChanges'
> {
  return {
    createConversation: async (body = {}, options = {}) =>
      calls.some(
        {
          method: 'POST',
          path: path(),
          // With an id that is new at each call, the service would refuse the external id as taken.
          ...named(body, 'id', newId, 'externalId'),
        },
        options,
      ),
    listConversations: async (options = {}) => calls.read(path(), options),
    getConversation: async (id, options = {}) => calls.read(path(id), options),
    patchConversation: async (id, patch, { ifMatch, ...options } = {}) =>
      calls.some(
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
      calls.noted(
        id,
        await calls.some<ErasureReceipt>({ method: 'DELETE', path: path(id) }, options),
      ),
    listMessages: async (conversationId, options = {}) =>
      calls.read(path(conversationId, 'messages'), calls.fresh(conversationId, options)),
    getHistory: async (conversationId, options = {}) =>
      calls.read(path(conversationId, 'history'), calls.fresh(conversationId, options)),
    listChanges: async (conversationId, options = {}) =>
      calls.read(path(conversationId, 'changes'), options),
  }
}
