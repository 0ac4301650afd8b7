/** The options and the methods of the client. */

import type { Attach } from '../conversation/wire/audio-schemas.ts'
import type { NewTurn } from '../conversation/wire/schemas.ts'
import type { Backoff } from '../mechanics/backoff.ts'
import type { Problem } from '../problem-error.ts'
import type { LiveEvent, LiveStart } from './following/live-event.ts'
import type { Journal, JournalEntry } from './journal/journal.ts'
import type { Attached, Recorded, Written } from './recording/outcomes.ts'
import type { Voice, VoiceOptions } from './recording/voice.ts'
import type { Retry } from './rest/call.ts'
import type { RequesterOptions } from './rest/requester.ts'
import type { Rest } from './rest/rest-api.ts'
import type { ConnectionState, WebSocketClass } from './socket/connection.ts'
import type { Role } from './wire/client-frames.ts'

export type ClientOptions = {
  /**
   * The address of the service, for example `http://127.0.0.1:3000`: http or https, with a path or without,
   * and no query or fragment; else `createClient` throws a TypeError.
   */
  readonly url: string | URL
  /** Sent with every REST request, and not with the WebSocket, because browsers cannot set headers there. */
  readonly headers?: Readonly<Record<string, string>>
  /**
   * How long a REST call may take with all its attempts, milliseconds. Here and below, what is no number from 0 to
   * 2,147,483,647 is a RangeError.
   *
   * @default 30_000
   */
  readonly deadlineMs?: number
  /** How long one attempt of a REST call may take, milliseconds. @default 10_000 */
  readonly attemptMs?: number
  /**
   * How long a REST call is tried again, milliseconds from its start: no attempt begins later, and one that has begun
   * is not cut short. 0: one attempt. A longer time than `deadlineMs` has no effect.
   *
   * @default as long as `deadlineMs` allows
   */
  readonly retryForMs?: number
  /** Called when an attempt of a REST call has failed and the client is about to wait for the next one. */
  readonly onRetry?: (retry: Retry) => void
  /**
   * Bounds of the random waits between attempts and between connections; they double with each failure.
   *
   * @default { firstMs: 500, maxMs: 30_000 }
   */
  readonly backoff?: Backoff
  /** Where turns and speech are kept until they are recorded. @default createMemoryJournal() */
  readonly journal?: Journal
  /** Called with the outcome of each write that an earlier run left in the journal. */
  readonly onRecovered?: (entry: JournalEntry, outcome: Written | Problem) => void
  /** Called at each change of the connection over which turns are recorded. */
  readonly onConnection?: (state: ConnectionState) => void
  /** How much text may wait for a slow consumer of `live()`, per iteration, characters. @default 1_048_576 */
  readonly bufferCharacters?: number
  readonly fetch?: RequesterOptions['fetch']
  /** The WebSocket class to use; needed in runtimes without a global `WebSocket`. */
  readonly webSocket?: WebSocketClass
}

export type LiveOptions = LiveStart & {
  /** Ends the iteration: it throws the signal's reason. */
  readonly signal?: AbortSignal
}

export type TurnlogClient = Rest &
  AsyncDisposable & {
    /**
     * The conversation as it changes: every change once, in order, over any number of connections. To
     * go on later, keep the `cursor` of the last change you have dealt with. The first `next()` subscribes.
     * The iteration ends with `break` and after `reset`, and throws a `Problem` that is not retryable
     * (`conversation-not-found`, `conversation-erased`, `cursor-invalid`; `id-invalid` before anything is sent).
     *
     * @example for await (const event of client.live(id, { tail: 20 })) state.apply(event)
     */
    live(
      conversationId: string,
      options?: LiveOptions,
    ): AsyncIterableIterator<LiveEvent, void, void>
    /**
     * Records a turn over the socket: in the journal first, then sent until the service has it. The
     * turns of a conversation keep their order. The turn is read at the call: changing it later changes
     * nothing. Rejects at once with `input-not-json`, `id-invalid`, `idempotency-key-invalid` or, where another turn
     * waits under the key, `idempotency-conflict`; with `journal-full` or `journal-failed`; and with any `Problem` of the
     * service that is not retryable. After `close` it rejects, and the turn stays in the journal.
     * `key`: 1 to 255 visible ASCII characters; made here by default.
     *
     * @example await client.record(id, { user: { text: 'Hi' }, assistant: { responses: ['Hello!'] } })
     */
    record(
      conversationId: string,
      turn: NewTurn,
      options?: { readonly key?: string },
    ): Promise<Recorded>
    /**
     * Attaches audio over the socket, in order with the turns. Without `messageId` it goes to the latest
     * AI message, and rejects with `outcome-unknown`, not retryable, where the connection is lost between
     * the sending and the answer. Rejects at once with `input-not-json`.
     *
     * @example await client.attach(id, { messageId, ttsAudioUrls: ['https://cdn.example/1.mp3'] })
     */
    attach(
      conversationId: string,
      audio: Attach & { readonly messageId?: string },
    ): Promise<Attached>
    /**
     * Speaks in the conversation as a voice agent does, in a voice session that goes on over
     * reconnects until `end()`, or until the service ends it some time after the connection is lost. Does
     * not throw: if the options cannot be sent, `started` rejects.
     *
     * @example const { key } = await client.voice(id).open()
     */
    voice(conversationId: string, options?: VoiceOptions): Voice
    /**
     * Shows words that are not recorded yet: `text` is all of the text so far, and an empty text takes it
     * back. May be lost. Throws `id-invalid`, `input-not-json` if `text` cannot be printed as JSON, and
     * `field-invalid` if it is no string.
     *
     * @example client.partial(id, 'human', 'Is there a tab')
     */
    partial(conversationId: string, role: Role, text: string): void
    /**
     * Resolves when every write over the socket has its answer, or the client is closed.
     *
     * @example await client.settled()
     */
    settled(): Promise<void>
    /**
     * Ends iterations and the connection, and rejects writes over the socket that have no answer; what is in
     * the journal stays there. REST calls go on to their end. A second call gives the same promise.
     *
     * @example await client.close()
     */
    close(): Promise<void>
  }
