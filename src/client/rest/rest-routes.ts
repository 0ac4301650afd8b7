/** The REST API over a requester. The functions work unbound. */
import type { OwnWrites } from '../own-writes.ts'
import { audioRoutes } from './audio-routes.ts'
import { conversationRoutes } from './conversation-routes.ts'
import type { Requester } from './requester.ts'
import type { Rest } from './rest-api.ts'
import { RestCalls } from './rest-calls.ts'
import { turnRoutes } from './turn-routes.ts'
import { voiceSessionRoutes } from './voice-session-routes.ts'

export function createRest(requester: Requester, ownWrites: OwnWrites): Rest {
  const calls = new RestCalls(requester, ownWrites)
  return {
    ...conversationRoutes(calls),
    ...turnRoutes(calls),
    ...audioRoutes(calls),
    ...voiceSessionRoutes(calls),
    getHealth: async (options = {}) => calls.read('/healthz', options),
    getReadiness: async (options = {}) =>
      calls.send({ method: 'GET', path: '/readyz', alsoFine: [503] }, options),
  }
}
