/** Live delivery, put together: every socket of this node, and how all of them end. */

import { createLiveReads } from '../conversation/reading/live-reads.ts'
import type { Reader } from '../conversation/reading/reader.ts'
import { createVersions } from '../conversation/reading/versions.ts'
import type { Store } from '../conversation/store.ts'
import type { Decoder } from '../conversation/wire/decode.ts'
import type { Principal } from '../conversation/wire/principal.ts'
import type { Effect } from '../conversation/writing/effects.ts'
import type { Events } from '../events.ts'
import { LoopShare } from '../mechanics/loop-share.ts'
import type { Database } from '../ports/database.ts'
import type { Kv } from '../ports/kv.ts'
import { toProblem } from '../problem.ts'
import { FanOut } from './following/fan-out.ts'
import { Hub } from './following/hub.ts'
import type { Frame } from './protocol/frame.ts'
import { FrameDecoder } from './protocol/frame-decoder.ts'
import { createFrameLog } from './socket/frame-log.ts'
import type { Outbox, Watermarks } from './socket/outbox.ts'
import { Presence } from './socket/presence.ts'
import { createWriter } from './socket/record-writer.ts'
import { Session } from './socket/session.ts'
import type { NodeSession, SessionOptions } from './socket/session-options.ts'
import { createVoiceWriter } from './socket/voice-writer.ts'

export type LiveOptions = {
  readonly database: Database
  /** As it was opened. */
  readonly kv: {
    readonly kv: Kv
    readonly shared: boolean
    ready(): boolean
    listening(): boolean
  }
  readonly reader: Reader
  readonly decoder: Decoder
  readonly events: Events
  readonly store: Store
  readonly delivery: DeliverySettings
  readonly voice: { readonly sessionGraceSeconds: number }
  readonly limits: {
    /** A frame is a turn of this many bytes, and what stands around it. */
    readonly turnBytesMax: number
  }
  readonly server: {
    /** Milliseconds from which on a frame is logged as slow; 0 turns that off. */
    readonly slowRequestMs: number
  }
}

/** The section `live` of the settings. */
export type DeliverySettings = {
  readonly pingSeconds: number
  readonly pollMs: number
  readonly silentPollMs: number
  readonly subscriptionsMax: number
  readonly framesPerSecond: number
  readonly bufferSoftBytes: number
  readonly bufferHardBytes: number
  readonly pageBytesMax: number
}

export type Live = Disposable & {
  /** Wakes the followers of what this node commits. */
  readonly effect: Effect
  /** What an outbox goes by. */
  readonly watermarks: Watermarks
  /** A frame of more bytes is refused. */
  readonly frameBytesMax: number
  /** Begins with a frame as if the client had sent it. */
  connect(outbox: Outbox, principal: Principal, first?: Frame): Session
  /** How many sockets are open. */
  readonly size: number
  /**
   * Says goodbye to all of them, in waves so that they do not come to the other nodes at once.
   * Resolves when every one is closed, or when the time is over.
   */
  drain(withinMs: number): Promise<void>
}

/** Most rows of one change that catches a reader up. */
const pageRows = 200

/** What stands around a turn in its frame: ids, a key, names. */
const envelopeBytes = 4096

const creditFrames = 32
const creditBytesMin = 1_048_576

const tickMs = 1000

/**
 * Milliseconds of each round of the event loop for work that may wait: frames that came faster than they
 * could be handled, and news for crowds with what is done once a second for every socket.
 */
const frameShareMs = 4
const crowdShareMs = 4

/** Sockets of one wave, and milliseconds between two. */
const waveMin = 100
const wavePauseMs = 100

export function createLive(options: LiveOptions): Live {
  const { database, kv, store, reader, decoder, events, delivery } = options
  const pingMs = delivery.pingSeconds * 1000
  const log = createFrameLog(events, options.server.slowRequestMs)
  const stepFailed = (thrown: unknown) => void log.failed(toProblem(thrown), {})
  const crowdShare = new LoopShare(crowdShareMs, stepFailed)
  const frameShare = new LoopShare(frameShareMs, stepFailed)
  const hub = new Hub({
    ...delivery,
    events,
    reads: createLiveReads(database),
    versions: createVersions(database),
    databaseShared: database.shared,
    kv: kv.shared ? { kv: kv.kv, hintsArrive: () => kv.ready() && kv.listening() } : undefined,
    page: { limit: pageRows, bytesMax: delivery.pageBytesMax },
    share: crowdShare,
  })
  const { turnBytesMax } = options.limits
  const frameBytesMax = turnBytesMax + envelopeBytes
  const sessions = new Set<NodeSession>()
  // A lease that could not be renewed only ends the session early; log it.
  const leaseFailed = (thrown: unknown) => events.workFailed('voice-leases', thrown)
  const presence = new Presence(options.voice.sessionGraceSeconds, {
    renew: (names) => store.voiceSessions.carryOn(names).catch(leaseFailed),
    leave: (names) => store.voiceSessions.leave(names).catch(leaseFailed),
  })
  const settings: SessionOptions = {
    hub,
    decoder: new FrameDecoder(decoder, {
      frameBytes: frameBytesMax,
      turnBytes: turnBytesMax,
    }),
    writer: createWriter(store, reader),
    voice: createVoiceWriter(store, reader, presence),
    pingMs,
    credit: { frames: creditFrames, bytes: Math.max(creditBytesMin, 2 * frameBytesMax) },
    limits: {
      frameBytes: frameBytesMax,
      subscriptions: delivery.subscriptionsMax,
      framesPerSecond: delivery.framesPerSecond,
    },
    inbox: { framesPerSecond: delivery.framesPerSecond, share: frameShare },
    log,
    closed(session, reason) {
      // A session that says goodbye speaks no more.
      presence.socketClosed(session)
      if (reason === undefined) sessions.delete(session)
      else if (reason !== 'draining') events.socketClosed(reason)
    },
  }
  const ticking = new FanOut(crowdShare, sessions, (session) => session.tick(performance.now()))
  const timer = setInterval(() => {
    ticking.all()
    hub.tick()
    presence.tick(performance.now())
  }, tickMs)
  const after = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

  return {
    effect: hub.effect,
    watermarks: { softBytes: delivery.bufferSoftBytes, hardBytes: delivery.bufferHardBytes },
    frameBytesMax,

    connect(outbox, principal, first) {
      const session = new Session(settings, outbox, principal)
      sessions.add(session)
      if (first !== undefined) session.handle(first)
      return session
    },

    get size() {
      return sessions.size
    },

    async drain(withinMs) {
      const until = performance.now() + withinMs
      const count = sessions.size
      // Half of the time for the waves, the rest for what is still in hand then.
      const waves = Math.max(1, Math.floor(withinMs / 2 / wavePauseMs))
      const wave = Math.max(waveMin, Math.ceil(count / waves))
      const draining: Promise<void>[] = []
      for (const [index, session] of [...sessions].entries()) {
        if (index > 0 && index % wave === 0) await after(wavePauseMs)
        draining.push(session.drain())
      }
      if (count > 0) events.socketsDrained(count)
      while (sessions.size > 0 && performance.now() < until) await after(10)
      // What is in hand now has an unknown outcome; that it is time to go elsewhere is known.
      for (const session of [...sessions]) session.close('draining')
    },

    [Symbol.dispose]() {
      clearInterval(timer)
      hub[Symbol.dispose]()
    },
  }
}
