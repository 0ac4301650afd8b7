/** The calls of the routes that write turns and report interruptions. */
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
import { path, type RestCalls, withName } from './rest-calls.ts'
import type { TurnApi } from './turn-api.ts'

const now = () => new Date().toISOString()

/** A call that opens or completes the turn of a key. */
const turnCall = (
  conversationId: string,
  action: 'open' | 'complete',
  key: string,
  body: object,
): Call => ({
  method: 'POST',
  path: path(conversationId, 'turns', action),
  body: jsonText(body),
  headers: { 'idempotency-key': checkedKey(key) },
})

export function turnRoutes(calls: RestCalls): TurnApi {
  return {
    recordTurn: async (conversationId, turn, { key, ...options } = {}) =>
      calls.note(
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
      calls.note(
        conversationId,
        await calls.send<OpenedTurn>(turnCall(conversationId, 'open', key, body), options),
      ),
    completeTurn: async (conversationId, key, halves, options = {}) =>
      calls.note(
        conversationId,
        await calls.request<CompletedTurn>(
          turnCall(conversationId, 'complete', key, halves),
          options,
        ),
      ),
    interrupt: async (conversationId, messageId, report, options = {}) =>
      calls.note(
        conversationId,
        await calls.send<InterruptedMessage>(
          {
            method: 'POST',
            path: path(conversationId, 'messages', messageId, 'interrupt'),
            ...withName(report, 'at', now),
          },
          options,
        ),
      ),
  }
}
