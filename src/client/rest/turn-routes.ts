/** Routes that write turns and report how much of an answer was heard. */
import type { RecordedTurn } from '../../conversation/wire/schemas.ts'
import type {
  CompletedTurn,
  InterruptedMessage,
  OpenedTurn,
} from '../../conversation/wire/voice-schemas.ts'
import { checkedKey } from '../wire/idempotency-key.ts'
import { newId } from '../wire/new-ids.ts'
import { jsonText } from '../wire/plain-json.ts'
import type { Call } from './call.ts'
import type { Rest } from './rest-api.ts'
import { named, path, type RestCalls } from './rest-calls.ts'

const now = () => new Date().toISOString()

const keyed = (conversationId: string, what: string, key: string, body: object): Call => ({
  method: 'POST',
  path: path(conversationId, 'turns', what),
  body: jsonText(body),
  headers: { 'idempotency-key': checkedKey(key) },
})

export function turnRoutes(
  calls: RestCalls,
): Pick<Rest, 'recordTurn' | 'openTurn' | 'completeTurn' | 'interrupt'> {
  return {
    recordTurn: async (conversationId, turn, { key, ...options } = {}) =>
      calls.noted(
        conversationId,
        await calls.request<RecordedTurn>(
          {
            method: 'POST',
            path: path(conversationId, 'turns'),
            body: jsonText(turn),
            headers: { 'idempotency-key': key === undefined ? newId() : checkedKey(key) },
            isNamedHere: key === undefined,
          },
          options,
        ),
      ),
    openTurn: async (conversationId, key, body = {}, options = {}) =>
      calls.noted(
        conversationId,
        await calls.some<OpenedTurn>(keyed(conversationId, 'open', key, body), options),
      ),
    completeTurn: async (conversationId, key, halves, options = {}) =>
      calls.noted(
        conversationId,
        await calls.request<CompletedTurn>(keyed(conversationId, 'complete', key, halves), options),
      ),
    interrupt: async (conversationId, messageId, report, options = {}) =>
      calls.noted(
        conversationId,
        await calls.some<InterruptedMessage>(
          {
            method: 'POST',
            path: path(conversationId, 'messages', messageId, 'interrupt'),
            ...named(report, 'at', now),
          },
          options,
        ),
      ),
  }
}
