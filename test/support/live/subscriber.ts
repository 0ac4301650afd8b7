/**
 * Subscriber follows conversations, keeps its cursors and always reconnects, by the rules of
 * docs/PROTOCOL.md. It judges nothing and writes all events into its history.
 */
import type { ServerFrame } from '../../../src/live/protocol/server-frames.ts'
import type { SubscriberHistory } from './live-history.ts'
import { RawSocket } from './raw-socket.ts'

export type Follows = {
  readonly c: string
  /** The cursor or the tail to begin with. With neither, it begins now. */
  readonly cursor?: string
  readonly tail?: number
}

export type SubscriberOptions = {
  readonly name: string
  /** The addresses of the nodes, read for each connection. */
  readonly bases: () => readonly string[]
  readonly follows: readonly Follows[]
  readonly random: () => number
  /** Milliseconds without a frame after which the connection counts as dead. */
  readonly silenceMs: number
  /** About how many milliseconds a socket lasts before the subscriber hangs up. */
  readonly restlessMs?: number
  /** Whether it pauses reading from time to time. */
  readonly slow?: boolean
  /** A frame that it sends on each socket before its subscriptions. */
  readonly speaks?: () => object
  /** Moves its cursor on a frame that must not move it, as a seeded mistake of a client. */
  readonly moves?: (frame: ServerFrame) => { c: string; cursor: string } | undefined
}

type Wire = { send(frame: object): void; close(): void; pause?(ms: number): void }

export class Subscriber {
  readonly history: SubscriberHistory
  readonly follows: readonly Follows[]
  readonly cursors = new Map<string, string>()
  /** The version that it has of each conversation. */
  readonly lasts = new Map<string, number>()
  /** The conversations whose subscriptions have ended for good. */
  readonly ended = new Set<string>()
  readonly #live = new Set<string>()
  frames = 0
  bytes = 0
  connects = 0
  readonly #options: SubscriberOptions
  readonly #timer: ReturnType<typeof setInterval>
  #wire: Wire | undefined
  #aliveAt = 0
  #isOver = false
  #isSpeaking = false
  #calm = false
  #leaveAt = Number.POSITIVE_INFINITY
  #pauseAt = 0

  constructor(options: SubscriberOptions) {
    this.#options = options
    this.history = { name: options.name, events: [] }
    this.follows = options.follows
    for (const { c, cursor } of options.follows)
      if (cursor !== undefined) this.cursors.set(c, cursor)
    this.#timer = setInterval(() => this.#tick(performance.now()), 50)
    this.#connect()
  }

  /** Whether every subscription has caught up or has ended. */
  get isFollowing(): boolean {
    return this.follows.every(({ c }) => this.ended.has(c) || this.#live.has(c))
  }

  /** Stops hanging up and pausing by itself, because the end of a run is measured. */
  settle(): void {
    this.#calm = true
  }

  /** Cuts the connection, and reconnects. */
  drop(): void {
    this.#lost(this.#wire)
  }

  stop(): void {
    this.#isOver = true
    clearInterval(this.#timer)
    this.#wire?.close()
    this.#wire = undefined
  }

  #tick(now: number): void {
    const { silenceMs, slow, random } = this.#options
    if (this.#wire === undefined) return
    if (now - this.#aliveAt > silenceMs || (now > this.#leaveAt && !this.#calm)) {
      this.#lost(this.#wire)
      return
    }
    if (slow === true && !this.#calm && now > this.#pauseAt) {
      const ms = 300 + random() * 1200
      this.#pauseAt = now + ms * 2
      this.#wire.pause?.(ms)
    }
  }

  #connect(): void {
    const { bases, random, restlessMs, slow } = this.#options
    const all = bases()
    const base = all[Math.floor(random() * all.length)] ?? ''
    const now = performance.now()
    this.#aliveAt = now
    this.#leaveAt =
      restlessMs === undefined ? Number.POSITIVE_INFINITY : now + restlessMs * (0.5 + random())
    this.connects += 1
    const wire: Wire = (slow === true ? openRaw : openNative)(base, {
      opened: () => wire === this.#wire && this.#opened(wire),
      text: (text) => wire === this.#wire && this.#take(text, wire),
      closed: () => this.#lost(wire),
    })
    this.#wire = wire
  }

  #opened(wire: Wire): void {
    this.#aliveAt = performance.now()
    this.history.events.push({ kind: 'opened' })
    const { speaks } = this.#options
    // It records no turn in the calm phase, because the last turns of a run are the test's.
    this.#isSpeaking = speaks !== undefined && !this.#calm
    if (speaks !== undefined && this.#isSpeaking) wire.send(speaks())
    else for (const follow of this.follows) this.#ask(follow, wire)
  }

  #ask({ c, tail }: Follows, wire: Wire): void {
    if (this.ended.has(c)) return
    const cursor = this.cursors.get(c)
    const from = cursor !== undefined ? { cursor } : tail !== undefined ? { tail } : {}
    this.history.events.push({ kind: 'asked', c, ...from })
    wire.send({ t: 'sub', c, ...from })
  }

  #take(text: string, wire: Wire): void {
    this.#aliveAt = performance.now()
    this.frames += 1
    this.bytes += text.length
    const frame: ServerFrame = JSON.parse(text)
    if (!uninteresting.has(frame.t)) this.history.events.push({ kind: 'frame', frame })
    const moved = this.#options.moves?.(frame)
    if (moved !== undefined) this.cursors.set(moved.c, moved.cursor)
    if (this.#isSpeaking && (frame.t === 'recorded' || frame.t === 'problem')) {
      this.#isSpeaking = false
      for (const follow of this.follows) this.#ask(follow, wire)
    } else if (frame.t === 'ping') wire.send({ t: 'pong' })
    else if (frame.t === 'subscribed') {
      // With a tail, the cursor belongs to the snapshot, which has not arrived yet.
      const tail = this.follows.find(({ c }) => c === frame.c)?.tail
      if (tail === undefined || frame.recovered) this.cursors.set(frame.c, frame.cursor)
    } else if (frame.t === 'change') {
      this.cursors.set(frame.c, frame.cursor)
      this.lasts.set(frame.c, frame.version)
    } else if (frame.t === 'live') {
      this.#live.add(frame.c)
      this.lasts.set(frame.c, frame.version)
    } else if (frame.t === 'reset') this.ended.add(frame.c)
    else if (frame.t === 'problem' && frame.c !== undefined) {
      const follow = this.follows.find(({ c }) => c === frame.c)
      if (follow === undefined) return
      if (!frame.retryable) this.ended.add(frame.c)
      else setTimeout(() => wire === this.#wire && this.#ask(follow, wire), 100)
    }
  }

  #lost(wire: Wire | undefined): void {
    if (wire === undefined || wire !== this.#wire || this.#isOver) return
    this.#wire = undefined
    this.#live.clear()
    this.history.events.push({ kind: 'closed' })
    wire.close()
    setTimeout(() => this.#isOver || this.#connect(), 20 + this.#options.random() * 200)
  }
}

const uninteresting = new Set<ServerFrame['t']>(['welcome', 'partial', 'recorded'])

type SocketHandlers = { opened(): void; text(text: string): void; closed(): void }

const path = '/v1/live'

export function openNative(base: string, { opened, text, closed }: SocketHandlers): Wire {
  const socket: WebSocket & { terminate?(): void } = new WebSocket(
    `${base.replace('http', 'ws')}${path}`,
  )
  socket.onopen = () => opened()
  socket.onmessage = ({ data }) => text(String(data))
  socket.onerror = () => {}
  socket.onclose = () => closed()
  return {
    send: (frame) => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify(frame)),
    // Bun's own method cuts the connection without a close frame.
    close: () => socket.terminate?.(),
  }
}

/** Opens a socket that can pause reading. */
function openRaw(base: string, { opened, text, closed }: SocketHandlers): Wire {
  let raw: RawSocket | undefined
  let isOver = false
  const look = setInterval(() => {
    if (raw === undefined) return
    for (const each of raw.texts.splice(0)) text(each)
    if (raw.closed || raw.closeCode !== undefined) end()
  }, 5)
  const end = () => {
    if (isOver) return
    isOver = true
    clearInterval(look)
    raw?.socket.destroy()
    closed()
  }
  void (async () => {
    try {
      const open = await RawSocket.open(base, path)
      if (isOver) open.socket.destroy()
      else {
        raw = open
        opened()
      }
    } catch {
      end()
    }
  })()
  return {
    send: (frame) => raw?.send(JSON.stringify(frame)),
    close: end,
    pause(ms) {
      raw?.socket.pause()
      setTimeout(() => raw?.socket.resume(), ms)
    },
  }
}
