/** The client of Turnlog: REST over fetch, live conversations and recording over one WebSocket. */
import type { NewTurn } from '../conversation/wire.ts'
import type { Attach } from '../conversation/wire-audio.ts'
import type { Problem } from '../problem.ts'
import type { Backoff } from './backoff.ts'
import type { ConnectionState, WebSocketClass } from './connection.ts'
import type { Role } from './frames.ts'
import { handshakeRefusal } from './handshake.ts'
import { newId } from './ids.ts'
import { createMemoryJournal, type Journal, type JournalEntry } from './journal.ts'
import { createLink, type Link, type LinkOptions } from './link.ts'
import type { LiveEvent, LiveStart } from './live-event.ts'
import { createOwnWrites } from './own-writes.ts'
import { createPartials } from './partials.ts'
import { createRequester, type RequesterOptions } from './request.ts'
import { createRest } from './rest.ts'
import type { Rest } from './rest-api.ts'
import { type Attached, createSender, type Recorded, type Written } from './sender.ts'
import { createSubscription, type Subscription } from './subscription.ts'
import { createVoice, type Voice, type VoiceOptions } from './voice.ts'

export type * from '../conversation/wire.ts'
export type * from '../conversation/wire-audio.ts'
export type * from '../conversation/wire-voice.ts'
export { Problem, type ProblemCode } from '../problem.ts'
export type { ConnectionState } from './connection.ts'
export { type ConversationState, createConversationState } from './conversation-state.ts'
export type { Role } from './frames.ts'
export {
  createMemoryJournal,
  type Journal,
  type JournalEntry,
  type SpeechEntry,
  type TurnEntry,
} from './journal.ts'
export type { LiveEvent, LiveStart } from './live-event.ts'
export type { Freshness, HistoryOptions, MessageOptions, ReadOptions, Rest } from './rest-api.ts'
export type { Attached, Completed, Interrupted, Opened, Recorded, Written } from './sender.ts'
export type { PartAudio, SpokenHalves, Voice, VoiceOptions } from './voice.ts'

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
     * turns of a conversation keep their order. Rejects with a `Problem` that is not retryable, or with
     * `journal-full`. After `close` it rejects, and the turn stays in the journal.
     */
    record(
      conversationId: string,
      turn: NewTurn,
      options?: { readonly key?: string },
    ): Promise<Recorded>
    /**
     * Attaches audio over the socket, in order with the turns. Without `messageId` it goes to the latest
     * AI message, and rejects with `outcome-unknown` where the connection is lost before the answer.
     */
    attach(
      conversationId: string,
      audio: Attach & { readonly messageId?: string },
    ): Promise<Attached>
    /**
     * Speaks in the conversation as a voice agent does, in a voice session that goes on over
     * reconnects until it is ended or its sockets have been gone for a while.
     */
    voice(conversationId: string, options?: VoiceOptions): Voice
    /** Words that are not durable yet: all of the text so far; empty takes it back. May be lost. */
    partial(conversationId: string, role: Role, text: string): void
    /** Resolves when every turn has its answer. */
    settled(): Promise<void>
    /** Ends everything: iterations, what waits, the connection. What is not recorded stays in the journal. */
    close(): Promise<void>
  }

const handshakeMs = 10_000

export function createClient(options: ClientOptions): TurnlogClient {
  const { backoff = { firstMs: 500, maxMs: 30_000 }, journal = createMemoryJournal() } = options
  const ownWrites = createOwnWrites()
  const fetchWith: RequesterOptions['fetch'] = options.fetch ?? ((url, init) => fetch(url, init))
  const rest = createRest(
    createRequester({
      url: options.url,
      fetch: fetchWith,
      headers: options.headers ?? {},
      deadlineMs: options.deadlineMs ?? 30_000,
      attemptMs: options.attemptMs ?? 10_000,
      backoff: { ...backoff, firstMs: Math.min(backoff.firstMs, 100) },
    }),
    ownWrites,
  )
  let frames = 0
  const newFrameId = () => {
    frames += 1
    return String(frames)
  }
  let closed = false

  const liveUrl = `${options.url.replace(/\/+$/, '')}/v1/live`
  const linkOptions = (): Omit<LinkOptions, 'recording'> => ({
    url: liveUrl.replace(/^http/, 'ws'),
    webSocket: options.webSocket ?? nativeWebSocket(),
    backoff,
    handshakeMs,
    onCrowded: onStart,
    refusal: () => handshakeRefusal({ url: liveUrl, fetch: fetchWith, attemptMs: handshakeMs }),
    onState: () => {},
  })
  /** The first one records; more are made when one conversation is followed twice. */
  const links: Link[] = []
  const mainLink = (): Link => {
    const link =
      links[0] ??
      createLink({
        ...linkOptions(),
        recording: sender,
        onState: (state) => options.onConnection?.(state),
      })
    links[0] = link
    return link
  }

  const sender = createSender({
    journal,
    backoff,
    ownWrites,
    newFrameId,
    send: (frame) => links[0]?.send(frame) ?? false,
    connect: () => mainLink().open(),
    onRecovered: options.onRecovered ?? (() => {}),
  })
  const partials = createPartials({
    send: (frame) => links[0]?.send(frame) ?? false,
    waiting: () => links[0]?.waiting() ?? 0,
  })
  if (journal.recovered.length > 0) mainLink().open()

  return {
    ...rest,
    live: (conversationId, { signal, ...start } = {}) =>
      createSubscription({
        conversationId: conversationId.toLowerCase(),
        start,
        backoff,
        bufferCharacters: options.bufferCharacters ?? 2 ** 20,
        newFrameId,
        signal,
        onStart,
      }),
    async record(conversationId, turn, { key = newId() } = {}) {
      const c = conversationId.toLowerCase()
      partials.forget(c)
      mainLink()
      return sender.record({ conversationId: c, key, turn })
    },
    async attach(conversationId, { messageId, ...audio }) {
      mainLink()
      return sender.attach(conversationId.toLowerCase(), messageId, audio)
    },
    voice(conversationId, voiceOptions = {}) {
      const c = conversationId.toLowerCase()
      mainLink()
      return createVoice(c, voiceOptions, {
        ...sender,
        partial: (role, text) => partials.put(c, role, text),
        forget: () => partials.forget(c),
      })
    },
    partial: (conversationId, role, text) => partials.put(conversationId.toLowerCase(), role, text),
    settled: sender.settled,
    close,
    [Symbol.asyncDispose]: close,
  }

  function onStart(subscription: Subscription): void {
    if (closed) subscription.fail(closing())
    else {
      mainLink()
      if (links.some((link) => link.add(subscription))) return
      const another = createLink(linkOptions())
      links.push(another)
      another.add(subscription)
    }
  }

  async function close(): Promise<void> {
    if (closed) return
    closed = true
    partials.close()
    sender.close(closing())
    for (const link of links) {
      for (const subscription of link.subscriptions()) subscription.fail(closing())
      link.close()
    }
    await journal[Symbol.asyncDispose]()
  }
}

const closing = () => new DOMException('The client was closed.', 'AbortError')

function nativeWebSocket(): WebSocketClass {
  if (typeof WebSocket === 'undefined')
    throw new TypeError('This runtime has no WebSocket: give `webSocket` to createClient.')
  return WebSocket
}
