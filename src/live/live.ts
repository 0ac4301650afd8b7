/**
 * createLive builds the live side of a node: its sockets, their subscriptions, and how they are
 * closed.
 */

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
  readonly kv: {
    readonly kv: Kv
    /** Whether other nodes use the same KV. */
    readonly shared: boolean
    ready(): boolean
    /** Whether changes of watched keys arrive. */
    listening(): boolean
  }
  readonly reader: Reader
  readonly decoder: Decoder
  readonly events: Events
  readonly store: Store
  readonly delivery: DeliverySettings
  readonly voice: { readonly sessionGraceSeconds: number }
  readonly limits: {
    /** The maximum size of a turn, in bytes. A frame may also have the fields around the turn. */
    readonly turnBytesMax: number
  }
  readonly server: {
    /** Milliseconds after which a frame is logged as slow; 0 logs none. */
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
  /** Delivers each commit of this node to the followers of its conversation. */
  readonly effect: Effect
  /** The bounds of each outbox, in bytes. */
  readonly watermarks: Watermarks
  /** The maximum size of a frame, in bytes. A larger one is refused. */
  readonly frameBytesMax: number
  /** Opens a session on a socket. The session handles `first` as if the client had sent it. */
  connect(outbox: Outbox, principal: Principal, first?: Frame): Session
  /** How many sockets are open. */
  readonly size: number
  /**
   * Closes every socket with `draining`, in waves, so that the clients do not reach the other nodes
   * all at once. Resolves once all are closed, at the latest after `withinMs` milliseconds.
   */
  drain(withinMs: number): Promise<void>
}

/** The maximum number of rows in a change that is read from the database. */
const pageRows = 200

/** Bytes of a frame beside its turn: ids, the key, names of fields. */
const envelopeBytes = 4096

const creditFrames = 32
const creditBytesMin = 1_048_576

const tickMs = 1000

/**
 * Milliseconds of each event-loop round for frames that arrived faster than they could be handled.
 */
const frameShareMs = 4

/**
 * Milliseconds of each event-loop round for delivery to crowds and for the tick of every socket.
 */
const crowdShareMs = 4

/** The minimum number of sockets in a wave of closes, and milliseconds between two waves. */
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
  // The only harm of a lease that is not renewed is a voice session that ends early.
  // The failure is logged and not thrown.
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
      // A closing socket no longer keeps its voice sessions open.
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
  const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

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
      // The waves take half of the time. The rest is for writes that are still pending then.
      const waves = Math.max(1, Math.floor(withinMs / 2 / wavePauseMs))
      const wave = Math.max(waveMin, Math.ceil(count / waves))
      const draining: Promise<void>[] = []
      for (const [index, session] of [...sessions].entries()) {
        if (index > 0 && index % wave === 0) await sleep(wavePauseMs)
        draining.push(session.drain())
      }
      if (count > 0) events.socketsDrained(count)
      while (sessions.size > 0 && performance.now() < until) await sleep(10)
      // The time is over. The remaining writes have an unknown outcome for their clients.
      for (const session of [...sessions]) session.close('draining')
    },

    [Symbol.dispose]() {
      clearInterval(timer)
      hub[Symbol.dispose]()
    },
  }
}
