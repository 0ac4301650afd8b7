/** The client of Turnlog: REST over fetch, live conversations and recording over one WebSocket. */

import type { Backoff } from '../mechanics/backoff.ts'
import { createDeferred } from '../mechanics/deferred.ts'
import { checkedMs, serviceUrl } from './checked-options.ts'
import type { ClientOptions, TurnlogClient } from './client-api.ts'
import type { LiveStart } from './following/live-event.ts'
import { Subscription } from './following/subscription.ts'
import { createMemoryJournal } from './journal/journal.ts'
import { createOwnWrites } from './own-writes.ts'
import { createPartials, type Partials } from './recording/partial-sender.ts'
import { Sender } from './recording/sender.ts'
import { framed } from './recording/speech-entries.ts'
import { createVoice } from './recording/voice.ts'
import { runtimeFetch } from './rest/fetch-failure.ts'
import { Requester, type RequesterOptions } from './rest/requester.ts'
import { createRest } from './rest/rest-routes.ts'
import type { WebSocketClass } from './socket/connection.ts'
import { handshakeRefusal } from './socket/handshake.ts'
import { Links } from './socket/links.ts'
import { checkedKey } from './wire/idempotency-key.ts'
import { checkedId, newId } from './wire/new-ids.ts'
import { jsonText, plainJson } from './wire/plain-json.ts'

export type * from '../conversation/wire/audio-schemas.ts'
export type * from '../conversation/wire/schemas.ts'
export type * from '../conversation/wire/voice-schemas.ts'
export { Problem, type ProblemCode } from '../problem-error.ts'
export type { ClientOptions, LiveOptions, TurnlogClient } from './client-api.ts'
export { type ConversationState, createConversationState } from './following/conversation-state.ts'
export type { LiveEvent, LiveStart } from './following/live-event.ts'
export {
  createMemoryJournal,
  type Journal,
  type JournalEntry,
  type SpeechEntry,
  type TurnEntry,
} from './journal/journal.ts'
export type {
  Attached,
  Completed,
  Interrupted,
  Opened,
  Recorded,
  Written,
} from './recording/outcomes.ts'
export type { PartAudio, SpokenHalves, Voice, VoiceOptions } from './recording/voice.ts'
export type { CallOptions, Retry } from './rest/call.ts'
export type {
  Freshness,
  HistoryOptions,
  MessageOptions,
  ReadOptions,
} from './rest/read-options.ts'
export type { Rest } from './rest/rest-api.ts'
export type { ConnectionState } from './socket/connection.ts'
export type { Role } from './wire/client-frames.ts'

const handshakeMs = 10_000

/**
 * Makes a client of the service at `options.url`. Nothing is connected before the first call. Its functions may be
 * taken out of it: `const { record } = createClient({ url })`.
 *
 * Throws a TypeError for a `url` that no path can be added to, and a RangeError for a time that is no number of
 * milliseconds.
 *
 * @example
 * await using turnlog = createClient({ url: 'http://localhost:3000' })
 * const { id } = await turnlog.createConversation()
 */
export function createClient(options: ClientOptions): TurnlogClient {
  const { journal = createMemoryJournal() } = options
  const settings = settingsOf(options)
  const ownWrites = createOwnWrites()
  const rest = createRest(new Requester(requesterOptions(options, settings)), ownWrites)
  let frames = 0
  const newFrameId = () => {
    frames += 1
    return String(frames)
  }
  const links: Links = new Links({
    linkOptions: () => linkOptions(options, settings),
    recording: () => sender.queues,
    onState: (state) => aside(() => options.onConnection?.(state)),
  })
  const sender: Sender = new Sender({
    journal,
    backoff: settings.backoff,
    ownWrites,
    newFrameId,
    send: (frame) => links.send(frame),
    // What a caller gives runs code of the caller when it is printed, which may close the client.
    connect: () => links.open(),
    onRecovered: (entry, outcome) => aside(() => options.onRecovered?.(entry, outcome)),
  })
  const partials = createPartials({
    send: (frame) => links.send(frame),
    waiting: () => links.waiting(),
  })
  let isClosed = false
  const ended = createDeferred<void>()
  const closeAll = async () => {
    const reason = new DOMException('The client was closed.', 'AbortError')
    partials.close()
    sender.close(reason)
    links.close(reason)
    await journal[Symbol.asyncDispose]()
  }
  const close = () => {
    if (!isClosed) {
      isClosed = true
      closeAll().then(ended.resolve, ended.reject)
    }
    return ended.promise
  }
  if (journal.recovered.length > 0) links.open()

  return {
    ...rest,
    ...recordingFunctions({ links, sender, partials }),
    live(conversationId, { signal, ...given } = {}) {
      const subscriptionFrom = (c: string, start: LiveStart) =>
        new Subscription({
          conversationId: c,
          start,
          backoff: settings.backoff,
          bufferCharacters: options.bufferCharacters ?? 2 ** 20,
          newFrameId,
          signal,
          onStart: (subscription) => links.add(subscription),
        })
      try {
        return subscriptionFrom(checkedId(conversationId), plainJson(given))
      } catch (reason) {
        const refused = subscriptionFrom('', {})
        refused.fail(reason)
        return refused
      }
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** The client's functions of what is written over the socket. */
function recordingFunctions({
  links,
  sender,
  partials,
}: {
  readonly links: Links
  readonly sender: Sender
  readonly partials: Partials
}): Pick<TurnlogClient, 'record' | 'attach' | 'voice' | 'partial' | 'settled'> {
  return {
    async record(conversationId, turn, { key = newId() } = {}) {
      const c = checkedId(conversationId)
      const entry = { conversationId: c, key: checkedKey(key), turn: jsonText(turn) }
      partials.forget(c)
      links.main()
      return sender.record(entry)
    },
    async attach(conversationId, audio) {
      const c = checkedId(conversationId)
      const { messageId, ...rest } = framed(audio)
      const text = JSON.stringify({ t: 'attach', messageId, ...rest })
      links.main()
      return sender.attach(c, messageId, text)
    },
    voice(conversationId, voiceOptions = {}) {
      links.main()
      return createVoice(conversationId, voiceOptions, { sender, partials })
    },
    partial: (conversationId, role, text) => partials.put(checkedId(conversationId), role, text),
    settled: () => sender.queues.empty(),
  }
}

type Settings = {
  readonly url: string
  readonly backoff: Backoff
  readonly fetch: RequesterOptions['fetch']
}

function settingsOf(options: ClientOptions): Settings {
  const { backoff = { firstMs: 500, maxMs: 30_000 }, fetch = runtimeFetch } = options
  const url = serviceUrl(options.url)
  for (const ms of [backoff.firstMs, backoff.maxMs]) checkedMs('backoff', ms)
  return { url, backoff, fetch }
}

function requesterOptions(options: ClientOptions, settings: Settings): RequesterOptions {
  const { deadlineMs = 30_000, attemptMs = 10_000, retryForMs } = options
  const { backoff } = settings
  return {
    ...settings,
    headers: options.headers ?? {},
    deadlineMs: checkedMs('deadlineMs', deadlineMs),
    attemptMs: checkedMs('attemptMs', attemptMs),
    retryForMs: retryForMs === undefined ? undefined : checkedMs('retryForMs', retryForMs),
    onRetry: (retry) => aside(() => options.onRetry?.(retry)),
    backoff: { ...backoff, firstMs: Math.min(backoff.firstMs, 100) },
  }
}

function linkOptions(options: ClientOptions, { url, backoff, fetch }: Settings) {
  const liveUrl = `${url}/v1/live`
  return {
    url: liveUrl.replace(/^http/, 'ws'),
    webSocket: options.webSocket ?? nativeWebSocket(),
    backoff,
    handshakeMs,
    refusal: () => handshakeRefusal({ url: liveUrl, fetch, attemptMs: handshakeMs }),
  }
}

/** An error of the caller's callback is thrown in a task of its own, so that it does not interrupt the client. */
function aside(callback: () => void): void {
  try {
    callback()
  } catch (reason) {
    queueMicrotask(() => {
      throw reason
    })
  }
}

function nativeWebSocket(): WebSocketClass {
  if (typeof WebSocket === 'undefined')
    throw new TypeError('This runtime has no WebSocket: give `webSocket` to createClient.')
  return WebSocket
}
