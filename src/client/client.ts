/** The client of Turnlog: REST over fetch, live conversations and recording over one WebSocket. */

import { createDeferred } from '../mechanics/deferred.ts'
import { checkedMs, serviceUrl } from './checked-options.ts'
import type { ClientOptions, TurnlogClient } from './client-api.ts'
import type { LiveStart } from './following/live-event.ts'
import { createSubscription, type Subscription } from './following/subscription.ts'
import { createMemoryJournal } from './journal/journal.ts'
import { createOwnWrites } from './own-writes.ts'
import { createPartials } from './recording/partial-sender.ts'
import { Sender } from './recording/sender.ts'
import { framed } from './recording/speech-entries.ts'
import { createVoice } from './recording/voice.ts'
import { runtimeFetch } from './rest/fetch-failure.ts'
import { Requester, type RequesterOptions } from './rest/requester.ts'
import { createRest } from './rest/rest-routes.ts'
import type { WebSocketClass } from './socket/connection.ts'
import { handshakeRefusal } from './socket/handshake.ts'
import { createLink, type Link, type LinkOptions } from './socket/link.ts'
import { checkedKey } from './wire/idempotency-key.ts'
import { checkedId, newId } from './wire/new-ids.ts'
import { plainJson, printed } from './wire/plain-json.ts'

export type * from '../conversation/wire/audio-schemas.ts'
export type * from '../conversation/wire/schemas.ts'
export type * from '../conversation/wire/voice-schemas.ts'
export { Problem, type ProblemCode } from '../problem.ts'
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
  Rest,
} from './rest/rest-api.ts'
export type { ConnectionState } from './socket/connection.ts'
export type { Role } from './wire/client-frames.ts'

const handshakeMs = 10_000

export function createClient(options: ClientOptions): TurnlogClient {
  const { backoff = { firstMs: 500, maxMs: 30_000 }, journal = createMemoryJournal() } = options
  const url = serviceUrl(options.url)
  for (const ms of [backoff.firstMs, backoff.maxMs]) checkedMs('backoff', ms)
  const ownWrites = createOwnWrites()
  const fetchWith: RequesterOptions['fetch'] = options.fetch ?? runtimeFetch
  const rest = createRest(
    new Requester({
      url,
      fetch: fetchWith,
      headers: options.headers ?? {},
      deadlineMs: checkedMs('deadlineMs', options.deadlineMs ?? 30_000),
      attemptMs: checkedMs('attemptMs', options.attemptMs ?? 10_000),
      retryForMs:
        options.retryForMs === undefined ? undefined : checkedMs('retryForMs', options.retryForMs),
      onRetry: (retry) => aside(() => options.onRetry?.(retry)),
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
  const ended = createDeferred<void>()

  const liveUrl = `${url}/v1/live`
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
        onState: (state) => aside(() => options.onConnection?.(state)),
      })
    links[0] = link
    return link
  }

  const sender: Sender = new Sender({
    journal,
    backoff,
    ownWrites,
    newFrameId,
    send: (frame) => links[0]?.send(frame) ?? false,
    connect: () => {
      // What a caller gives runs code of the caller when it is printed, which may close the client.
      if (!closed) mainLink().open()
    },
    onRecovered: (entry, outcome) => aside(() => options.onRecovered?.(entry, outcome)),
  })
  const partials = createPartials({
    send: (frame) => links[0]?.send(frame) ?? false,
    waiting: () => links[0]?.waiting() ?? 0,
  })
  if (journal.recovered.length > 0) mainLink().open()

  return {
    ...rest,
    live(conversationId, { signal, ...given } = {}) {
      const subscriptionFrom = (c: string, start: LiveStart) =>
        createSubscription({
          conversationId: c,
          start,
          backoff,
          bufferCharacters: options.bufferCharacters ?? 2 ** 20,
          newFrameId,
          signal,
          onStart,
        })
      try {
        return subscriptionFrom(checkedId(conversationId), plainJson(given))
      } catch (reason) {
        const refused = subscriptionFrom('', {})
        refused.fail(reason)
        return refused
      }
    },
    async record(conversationId, turn, { key = newId() } = {}) {
      const c = checkedId(conversationId)
      const entry = { conversationId: c, key: checkedKey(key), turn: printed(turn) }
      partials.forget(c)
      mainLink()
      return sender.record(entry)
    },
    async attach(conversationId, audio) {
      const c = checkedId(conversationId)
      const { messageId, ...rest } = framed(audio)
      const text = JSON.stringify({ t: 'attach', messageId, ...rest })
      mainLink()
      return sender.attach(c, messageId, text)
    },
    voice(conversationId, voiceOptions = {}) {
      mainLink()
      return createVoice(conversationId, voiceOptions, { sender, partials })
    },
    partial: (conversationId, role, text) => partials.put(checkedId(conversationId), role, text),
    settled: () => sender.settled(),
    close,
    [Symbol.asyncDispose]: close,
  }

  function onStart(subscription: Subscription): void {
    if (closed) subscription.fail(wasClosed())
    else {
      mainLink()
      if (links.some((link) => link.add(subscription))) return
      const another = createLink(linkOptions())
      links.push(another)
      another.add(subscription)
    }
  }

  function close(): Promise<void> {
    if (!closed) {
      closed = true
      closeAll().then(ended.resolve, ended.reject)
    }
    return ended.promise
  }

  async function closeAll(): Promise<void> {
    partials.close()
    sender.close(wasClosed())
    for (const link of links) {
      for (const subscription of link.subscriptions()) subscription.fail(wasClosed())
      link.close()
    }
    await journal[Symbol.asyncDispose]()
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

const wasClosed = () => new DOMException('The client was closed.', 'AbortError')

function nativeWebSocket(): WebSocketClass {
  if (typeof WebSocket === 'undefined')
    throw new TypeError('This runtime has no WebSocket: give `webSocket` to createClient.')
  return WebSocket
}
