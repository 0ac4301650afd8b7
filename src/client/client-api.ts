/** The functions of the client. */
import type { Attach } from '../conversation/wire/audio-schemas.ts'
import type { NewTurn } from '../conversation/wire/schemas.ts'
import type { LiveOptions } from './client-options.ts'
import type { LiveEvent } from './following/live-event.ts'
import type { Attached, Recorded } from './recording/outcomes.ts'
import type { Voice, VoiceOptions } from './recording/voice.ts'
import type { Rest } from './rest/rest-api.ts'
import type { Role } from './wire/client-frames.ts'

/** The client of one service. Its functions may be taken out of it: `const { record } = client`. */
export type TurnlogClient = Rest & SocketApi & AsyncDisposable

/** The functions that use the WebSocket. */
export type SocketApi = {
  /**
   * Follows a conversation: yields every change once and in order, over any number of reconnects. It sends
   * the subscription at the first `next()`. The iteration ends with `break`, after a `reset`, when `signal` aborts, and with `close()`.
   *
   * @param conversationId The conversation's id.
   * @param options Where to start, and a signal that ends the iteration. To resume later, store `cursor` and `version`
   *   of the last change that you have handled, and pass both.
   * @returns An iterator of events.
   * @throws `id-invalid` The id is not a UUID. Nothing was sent.
   * @throws `conversation-not-found`, `conversation-erased` The conversation does not exist, or was erased.
   * @throws `cursor-invalid` The cursor is not one of the conversation.
   * @throws `connection-refused` The service refuses the connection of this client.
   * @throws `host-refused`, `origin-refused` The service does not serve this host name or this web page.
   * @example
   * const state = createConversationState()
   * for await (const event of client.live(id, { tail: 20 })) {
   *   state.apply(event)
   *   if (event.type === 'live') break
   * }
   */
  live(conversationId: string, options?: LiveOptions): AsyncIterableIterator<LiveEvent, void, void>
  /**
   * Records a turn over the socket. The client stores it in the journal, then sends it until the service
   * acknowledges it. The turns of a conversation keep their order. The client reads the turn once, during the call.
   *
   * @param conversationId The conversation's id.
   * @param turn The human message in `user` and the answer's parts in `assistant.responses`.
   * @param options `key`: the idempotency key, 1 to 255 visible ASCII characters; by default a new one. Give your own
   *   if your program may come to the same turn again.
   * @returns The ids, the version and the cursor of the committed turn.
   * @throws `input-not-json` The turn cannot be printed as JSON. Nothing was stored or sent.
   * @throws `id-invalid` The id is not a UUID. Nothing was stored or sent.
   * @throws `idempotency-key-invalid` The key is not 1 to 255 visible ASCII characters. Nothing was stored or sent.
   * @throws `idempotency-conflict` Another turn waits or is recorded under the key.
   * @throws `journal-full`, `journal-failed` The journal cannot store the turn. Nothing was sent.
   * @throws `frame-too-large` The turn is larger than the service accepts in one frame.
   * @throws `connection-refused` The service refuses the connection. The turn stays in the journal.
   * @throws `conversation-not-found`, `conversation-erased` The conversation does not exist, or was erased. Like every
   *   problem of the service that is not retryable, this removes the turn from the journal.
   * @example
   * const turn = { user: { text: 'Hi' }, assistant: { responses: ['Hello!'] } }
   * const { version, assistantMessageId } = await client.record(id, turn)
   */
  record(
    conversationId: string,
    turn: NewTurn,
    options?: { readonly key?: string },
  ): Promise<Recorded>
  /**
   * Attaches audio (TTS) over the socket, in order with the turns and without the journal.
   *
   * @param conversationId The conversation's id.
   * @param audio `ttsAudioUrls` with one URL per part, or `part` (from 0) and `ttsAudioUrl`. `messageId`: by default
   *   the latest AI message.
   * @returns The message's id, the version and the cursor.
   * @throws `input-not-json` The audio cannot be printed as JSON. Nothing was sent.
   * @throws `id-invalid` The id is not a UUID. Nothing was sent.
   * @throws `outcome-unknown` The connection was lost before the answer, and `audio` has no `messageId`. Not retryable:
   *   by the second attempt another message may be the latest.
   * @throws `message-not-found`, `message-not-ai`, `part-out-of-range` The conversation has no such AI message or part.
   * @example
   * await client.attach(id, { messageId, ttsAudioUrls: ['https://cdn.example/1.mp3'] })
   */
  attach(conversationId: string, audio: Attach & { readonly messageId?: string }): Promise<Attached>
  /**
   * Starts to speak as a voice agent, in a voice session. The session lasts over reconnects until `end()`, or until
   * the service ends it some time after the connection was lost. This function never throws: if the session cannot
   * start, `started` rejects.
   *
   * @param conversationId The conversation's id.
   * @param options The session's id and metadata.
   * @returns The functions of the voice agent.
   * @example
   * await using voice = client.voice(id, { metadata: { line: 2 } })
   * const { key } = await voice.open()
   */
  voice(conversationId: string, options?: VoiceOptions): Voice
  /**
   * Shows an interim text (partial) to the followers of a conversation. It is not durable and may be lost.
   *
   * @param conversationId The conversation's id.
   * @param role The speaker: `human` or `ai`.
   * @param text All of the text so far. An empty text removes the partial.
   * @throws `id-invalid` The id is not a UUID.
   * @throws `input-not-json`, `field-invalid` The text cannot be printed as JSON, or is not a string.
   * @example
   * client.partial(id, 'human', 'Is there a tab')
   */
  partial(conversationId: string, role: Role, text: string): void
  /**
   * Waits for the writes over the socket.
   *
   * @returns A promise that resolves when every write has its answer, or the client is closed.
   * @example
   * await client.settled()
   */
  settled(): Promise<void>
  /**
   * Closes the connection, ends all iterations, and rejects the writes over the socket that have no answer. Writes in
   * the journal stay there. REST calls run to their end. `await using` calls this function, too.
   *
   * @returns A promise that resolves when the journal is closed; the same one at each call.
   * @example
   * await client.close()
   */
  close(): Promise<void>
}
