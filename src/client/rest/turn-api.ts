/** The REST calls that write turns and report how much of an answer was heard. */
import type { NewTurn, RecordedTurn } from '../../conversation/wire/schemas.ts'
import type {
  CompletedTurn,
  InterruptedMessage,
  Interruption,
  OpenedTurn,
  OpenTurn,
  TurnHalves,
} from '../../conversation/wire/voice-schemas.ts'
import type { CallOptions } from './call.ts'

export type TurnApi = {
  /**
   * Records a turn: a human message and the AI's answer in one commit. The same turn under the same key again is a
   * replay: it returns the recorded turn and writes nothing.
   *
   * @param conversationId The conversation's id.
   * @param turn The human message in `user` and the answer's parts in `assistant.responses`.
   * @param options The limits of this call. `key` is the idempotency key: 1 to 255 visible ASCII characters. By
   *   default the client makes a key for the retries of this call. Give your own to repeat the call after a crash.
   * @returns The recorded turn, or null: the turn had no responses, nothing was recorded, and the key stays free.
   * @throws `idempotency-conflict` The key recorded another turn.
   * @throws `idempotency-key-invalid` The key is not 1 to 255 visible ASCII characters.
   * @throws `id-taken` A message id of the turn is already in use.
   * @throws `segment-without-user` The turn would complete its segment without a human message.
   * @throws `parts-too-many`, `urls-too-many`, `url-invalid` The answer has too many parts or audio URLs, or one URL
   *   is not absolute http or https.
   * @throws `time-invalid`, `time-ahead` A time is not RFC 3339, or lies too far in the future.
   * @example
   * const turn = { user: { text: 'Hi' }, assistant: { responses: ['Hello!'] } }
   * const recorded = await client.recordTurn(id, turn, { key: 'greeting-1' })
   */
  recordTurn(
    conversationId: string,
    turn: NewTurn,
    options?: CallOptions & { readonly key?: string },
  ): Promise<RecordedTurn | null>
  /**
   * Opens a turn: reserves the `seq` of a human message (its seat) before its words are known. The same key again
   * returns the same seat.
   *
   * @param conversationId The conversation's id.
   * @param key The turn's idempotency key, which `completeTurn` and `attachByKey` name again.
   * @param body `at`: when the human began to speak (RFC 3339).
   * @param options The limits of this call.
   * @returns The seat, with its `seq`.
   * @throws `idempotency-conflict` The key was used for another turn.
   * @throws `idempotency-key-invalid` The key is not 1 to 255 visible ASCII characters.
   * @throws `seats-too-many` Too many seats of the conversation wait for their words.
   * @throws `time-invalid`, `time-ahead` `at` is not RFC 3339, or lies too far in the future.
   * @example
   * const { seq } = await client.openTurn(id, 'call-8', { at: new Date().toISOString() })
   */
  openTurn(
    conversationId: string,
    key: string,
    body?: OpenTurn,
    options?: CallOptions,
  ): Promise<OpenedTurn>
  /**
   * Completes an opened turn with its transcript, its answer, or both. The halves may arrive in any order.
   *
   * @param conversationId The conversation's id.
   * @param key The key that opened the turn.
   * @param halves The transcript in `user`, the answer in `assistant`.
   * @param options The limits of this call.
   * @returns The turn as it is now, or null: the answer had no responses and nothing was written.
   * @throws `turn-not-open` No turn was opened under the key.
   * @throws `idempotency-conflict` The half is already recorded with other words.
   * @throws `idempotency-key-invalid` The key is not 1 to 255 visible ASCII characters.
   * @throws `id-taken` A message id is already in use.
   * @throws `parts-too-many`, `urls-too-many`, `url-invalid` The answer has too many parts or audio URLs, or one URL
   *   is not absolute http or https.
   * @throws `time-invalid`, `time-ahead` A time is not RFC 3339, or lies too far in the future.
   * @example
   * await client.openTurn(id, 'call-9')
   * await client.completeTurn(id, 'call-9', { assistant: { responses: ['One moment.'] } })
   * await client.completeTurn(id, 'call-9', { user: { text: 'Is there a table?' } })
   */
  completeTurn(
    conversationId: string,
    key: string,
    halves: TurnHalves,
    options?: CallOptions,
  ): Promise<CompletedTurn | null>
  /**
   * Reports an interruption (barge-in): how much of an AI message the listener heard. Nothing is deleted. A report
   * with an earlier time than the stored one changes nothing.
   *
   * @param conversationId The conversation's id.
   * @param messageId The id of the AI message.
   * @param report `heard`: the number of whole `parts`, the number of `characters` (code points), or the `text`; null
   *   takes the report back. `at`: the time of the interruption (RFC 3339), by default the time of this call.
   * @param options The limits of this call.
   * @returns The message as it is now. `changed`: whether the report changed it.
   * @throws `message-not-found` The conversation has no such message.
   * @throws `message-not-ai` The message is a human message.
   * @throws `heard-out-of-range` The message has fewer parts or characters.
   * @throws `time-invalid`, `time-ahead` `at` is not RFC 3339, or lies too far in the future.
   * @example
   * await client.interrupt(id, messageId, { heard: { parts: 1 }, at: new Date().toISOString() })
   */
  interrupt(
    conversationId: string,
    messageId: string,
    report: Interruption,
    options?: CallOptions,
  ): Promise<InterruptedMessage>
}
