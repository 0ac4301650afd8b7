/** What the client is given, and what it does. */
import type { NewTurn } from '../conversation/wire.ts'
import type { Attach } from '../conversation/wire-audio.ts'
import type { Problem } from '../problem.ts'
import type { Backoff } from './backoff.ts'
import type { ConnectionState, WebSocketClass } from './connection.ts'
import type { Role } from './frames.ts'
import type { Journal, JournalEntry } from './journal.ts'
import type { LiveEvent, LiveStart } from './live-event.ts'
import type { RequesterOptions } from './request.ts'
import type { Rest } from './rest-api.ts'
import type { Attached, Recorded, Written } from './sender.ts'
import type { Voice, VoiceOptions } from './voice.ts'

export type ClientOptions = {
  /** Where the service is: `http://127.0.0.1:3000`. */
  readonly url: string
  /** Sent with every request; a WebSocket of a browser takes none. */
  readonly headers?: Readonly<Record<string, string>>
  /** For each call with all its attempts, milliseconds; 30,000. */
  readonly deadlineMs?: number
  /** For one attempt, milliseconds; 10,000. */
  readonly attemptMs?: number
  /** Waits between attempts and between connections: full jitter below these; 500 ms to 30 s. */
  readonly backoff?: Backoff
  /** Where turns and speech are kept until they are recorded; in memory unless said otherwise. */
  readonly journal?: Journal
  /** Told what became of each write that an earlier run had left in the journal. */
  readonly onRecovered?: (entry: JournalEntry, outcome: Written | Problem) => void
  /** Told of the connection over which turns are recorded and, as a rule, watched. */
  readonly onConnection?: (state: ConnectionState) => void
  /** Text that may wait for a slow consumer of `live()`, per conversation, characters; 1 Mi. */
  readonly bufferCharacters?: number
  readonly fetch?: RequesterOptions['fetch']
  /** For runtimes that have none of their own. */
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
     * go on later, keep the `cursor` of the last change you have dealt with. It begins with the first
     * event that is asked for, and ends with `break`, after `reset`, or by throwing a `Problem` where
     * there is nothing to wait for (`conversation-not-found`, `conversation-erased`, `cursor-invalid`).
     */
    live(
      conversationId: string,
      options?: LiveOptions,
    ): AsyncIterableIterator<LiveEvent, void, void>
    /**
     * Records a turn over the socket: in the journal first, then sent until the service has it. The
     * turns of a conversation keep their order. The turn is read at the call: changing it later changes
     * nothing. Rejects at once with `input-not-json`, `idempotency-key-invalid` or, where another turn
     * waits under the key, `idempotency-conflict`; with `journal-full`; and with any `Problem` of the
     * service that is not retryable. After `close` it rejects, and the turn stays in the journal.
     * `key`: 1 to 255 visible ASCII characters; made here by default.
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
     */
    attach(
      conversationId: string,
      audio: Attach & { readonly messageId?: string },
    ): Promise<Attached>
    /**
     * Speaks in the conversation as a voice agent does, in a voice session that goes on over
     * reconnects until it is ended or its sockets have been gone for a while. Does not throw: where the
     * options cannot be sent, `started` rejects.
     */
    voice(conversationId: string, options?: VoiceOptions): Voice
    /**
     * Words that are not durable yet: all of the text so far; empty takes it back. May be lost. Throws
     * `input-not-json` where it is given something else.
     */
    partial(conversationId: string, role: Role, text: string): void
    /** Resolves when every turn has its answer. */
    settled(): Promise<void>
    /**
     * Ends everything: iterations, what waits, the connection. What is not recorded stays in the journal.
     * A second call gives the same promise.
     */
    close(): Promise<void>
  }
