/** The client of Turnlog: REST calls over fetch, live conversations and recording over one WebSocket. */

import type { Backoff } from '../mechanics/backoff.ts'
import { createDeferred } from '../mechanics/deferred.ts'
import { checkedMs, serviceUrl } from './checked-options.ts'
import type { SocketApi, TurnlogClient } from './client-api.ts'
import type { ClientOptions } from './client-options.ts'
import type { LiveStart } from './following/live-event.ts'
import { Subscription } from './following/subscription.ts'
import { createMemoryJournal } from './journal/journal.ts'
import { createOwnWrites } from './own-writes.ts'
import { createPartials, type Partials } from './recording/partial-sender.ts'
import { Sender } from './recording/sender.ts'
import { frameMembers } from './recording/speech-entries.ts'
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
export type { TurnlogClient } from './client-api.ts'
export type { ClientOptions, LiveOptions } from './client-options.ts'
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

/** How long a handshake of the WebSocket may take, in milliseconds. */
const handshakeMs = 10_000

/**
 * Makes a client of the service at `options.url`. It connects at the first call. If the journal has writes of an
 * earlier run, it connects at once and sends them.
 *
 * @param options The address of the service and the settings of the client.
 * @returns The client. It throws a TypeError if `url` is not an absolute http or https URL or has a query or a
 *   fragment, and a RangeError if a time is not a number of milliseconds from 0 to 2,147,483,647.
 * @example
 * await using turnlog = createClient({ url: 'http://localhost:3000', deadlineMs: 5000 })
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
    onState: (state) => runCallback(() => options.onConnection?.(state)),
  })
  const sender: Sender = new Sender({
    journal,
    backoff: settings.backoff,
    ownWrites,
    newFrameId,
    send: (frame) => links.send(frame),
    // `open` checks that the client is not closed: printing the caller's input may run code that closes it.
    connect: () => links.open(),
    onRecovered: (entry, outcome) => runCallback(() => options.onRecovered?.(entry, outcome)),
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
    live(conversationId, { signal, ...start } = {}) {
      const subscriptionTo = (id: string, liveStart: LiveStart) =>
        new Subscription({
          conversationId: id,
          start: liveStart,
          backoff: settings.backoff,
          bufferCharacters: options.bufferCharacters ?? 2 ** 20,
          newFrameId,
          signal,
          onStart: (subscription) => links.add(subscription),
        })
      try {
        return subscriptionTo(checkedId(conversationId), plainJson(start))
      } catch (reason) {
        const refused = subscriptionTo('', {})
        refused.fail(reason)
        return refused
      }
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** The functions of the client that write over the socket. */
function recordingFunctions({
  links,
  sender,
  partials,
}: {
  readonly links: Links
  readonly sender: Sender
  readonly partials: Partials
}): Omit<SocketApi, 'live' | 'close'> {
  return {
    async record(conversationId, turn, { key = newId() } = {}) {
      const id = checkedId(conversationId)
      const entry = { conversationId: id, key: checkedKey(key), turn: jsonText(turn) }
      partials.forget(id)
      links.main()
      return sender.record(entry)
    },
    async attach(conversationId, audio) {
      const id = checkedId(conversationId)
      const { messageId, ...rest } = frameMembers(audio)
      const text = JSON.stringify({ t: 'attach', messageId, ...rest })
      links.main()
      return sender.attach(id, messageId, text)
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
    onRetry: (retry) => runCallback(() => options.onRetry?.(retry)),
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

/** Runs a callback of the caller. An error of it is thrown in a task of its own, and does not interrupt the client. */
function runCallback(callback: () => void): void {
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
    throw new TypeError('This runtime has no WebSocket. Pass a class as `webSocket`.')
  return WebSocket
}
