/**
 * A follower of conversations that reconnects for ever and keeps its cursors, as the protocol's page
 * tells a client to. It judges nothing: what it lived through is in its history.
 */
import type { ServerFrame } from '../../../src/live/protocol/server-frames.ts'
import type { SubscriberHistory } from './live-history.ts'
import { RawSocket } from './raw-socket.ts'

export type Follows = {
  readonly c: string
  /** Where it begins: nothing is from now on. */
  readonly cursor?: string
  readonly tail?: number
}

export type SubscriberOptions = {
  readonly name: string
  /** The nodes it may connect to, anew for each connection. */
  readonly bases: () => readonly string[]
  readonly follows: readonly Follows[]
  readonly random: () => number
  /** So long without a frame is a dead connection. */
  readonly silenceMs: number
  /** It hangs up by itself about as often. */
  readonly restlessMs?: number
  /** It stops reading for a while, again and again. */
  readonly slow?: boolean
  /** What it says on each socket before it follows anything. */
  readonly speaks?: () => object
  /** Moves its cursor on frames that must not move it: a client's mistake. */
  readonly moves?: (frame: ServerFrame) => { c: string; cursor: string } | undefined
}

type Wire = { send(frame: object): void; close(): void; rest?(ms: number): void }

export class Subscriber {
  readonly history: SubscriberHistory
  readonly follows: readonly Follows[]
  readonly cursors = new Map<string, string>()
  /** The version it holds, by conversation. */
  readonly lasts = new Map<string, number>()
  /** What it does not follow any more. */
  readonly ended = new Set<string>()
  readonly #live = new Set<string>()
  frames = 0
  bytes = 0
  connects = 0
  readonly #options: SubscriberOptions
  readonly #timer: ReturnType<typeof setInterval>
  #wire: Wire | undefined
  #heardAt = 0
  #isOver = false
  #isSpeaking = false
  #calm = false
  #leaveAt = Number.POSITIVE_INFINITY
  #restAt = 0

  constructor(options: SubscriberOptions) {
    this.#options = options
    this.history = { name: options.name, events: [] }
    this.follows = options.follows
    for (const { c, cursor } of options.follows)
      if (cursor !== undefined) this.cursors.set(c, cursor)
    this.#timer = setInterval(() => this.#tick(performance.now()), 50)
    this.#connect()
  }

  /** Whether everything it follows goes on from where it was. */
  get isFollowing(): boolean {
    return this.follows.every(({ c }) => this.ended.has(c) || this.#live.has(c))
  }

  /** Hangs up and rests no more by itself: the end of a run is measured. */
  settle(): void {
    this.#calm = true
  }

  /** Hangs up without a word, and comes back. */
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
    if (now - this.#heardAt > silenceMs || (now > this.#leaveAt && !this.#calm)) {
      this.#lost(this.#wire)
      return
    }
    if (slow === true && !this.#calm && now > this.#restAt) {
      const ms = 300 + random() * 1200
      this.#restAt = now + ms * 2
      this.#wire.rest?.(ms)
    }
  }

  #connect(): void {
    const { bases, random, restlessMs, slow } = this.#options
    const all = bases()
    const base = all[Math.floor(random() * all.length)] ?? ''
    const now = performance.now()
    this.#heardAt = now
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
    this.#heardAt = performance.now()
    this.history.events.push({ kind: 'opened' })
    const { speaks } = this.#options
    // What was said last is the end of a run.
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
    this.#heardAt = performance.now()
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
      // With a tail the cursor is the snapshot's, which is not there yet.
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

type Ears = { opened(): void; text(text: string): void; closed(): void }

const pathOf = '/v1/live'

export function openNative(base: string, { opened, text, closed }: Ears): Wire {
  const socket: WebSocket & { terminate?(): void } = new WebSocket(
    `${base.replace('http', 'ws')}${pathOf}`,
  )
  socket.onopen = () => opened()
  socket.onmessage = ({ data }) => text(String(data))
  socket.onerror = () => {}
  socket.onclose = () => closed()
  return {
    send: (frame) => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify(frame)),
    // Bun's own: without a close frame.
    close: () => socket.terminate?.(),
  }
}

/** One that can stop reading. */
function openRaw(base: string, { opened, text, closed }: Ears): Wire {
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
      const open = await RawSocket.open(base, pathOf)
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
    rest(ms) {
      raw?.socket.pause()
      setTimeout(() => raw?.socket.resume(), ms)
    },
  }
}
