/**
 * Connection keeps one WebSocket at a time to the service, for as long as it is wanted: it connects, notices a dead
 * peer, comes back with full jitter, obeys `bye` and close codes. It knows nothing of what travels on it.
 */
import { type Backoff, fullJitterMs } from '../../mechanics/backoff.ts'
import { Problem } from '../../problem-error.ts'
import { shownUrl, withShownUrl } from '../shown-url.ts'
import { type ClientFrame, protocol, readFrame, type ServerFrame } from '../wire/client-frames.ts'

/** What is used of a WebSocket: the class of browsers, Bun, Deno and Node is one. */
export type WebSocketClass = new (url: string, protocols: string[]) => WebSocket

export type ConnectionState = 'closed' | 'connecting' | 'open' | 'waiting'

export type ConnectionOptions = {
  readonly url: string
  readonly webSocket: WebSocketClass
  readonly backoff: Backoff
  /** How long until the service must have said `welcome`, milliseconds. */
  readonly handshakeMs: number
  /** Whether a lost connection is to be made again. */
  readonly wanted: () => boolean
  readonly onFrame: (frame: ServerFrame, length: number) => void
  /** The socket is gone: nothing more comes of it, and what was sent may not have arrived. */
  readonly onLost: () => void
  /** The service will not take this client as it is; the connection is not made again by itself. */
  readonly onRefused: (problem: Problem) => void
  readonly onState: (state: ConnectionState) => void
  /** Asked where handshakes fail: why, if that will not pass. Does not fail itself. */
  readonly refusal: () => Promise<Problem | undefined>
}

/** Why a socket was closed, by its close frame or by a `bye` before it. */
type Closing = {
  readonly code: number
  readonly reason: string
  readonly retryMs?: readonly number[]
}

/** Without any frame for this many intervals of its pings, the peer is dead. */
const silentPings = 2.5
/** A connection that lasted this long was a good one: the next failure is the first. */
const stableMs = 5000

const pong = JSON.stringify({ t: 'pong' } satisfies ClientFrame)

/** This many handshakes in a row fail for what may pass, a restart or a lost network. */
const handshakesLost = 1

export class Connection {
  readonly #options: ConnectionOptions
  #socket: WebSocket | undefined
  #welcomed = false
  /** Connections in a row that were lost before they were stable, and handshakes that failed. */
  #failures = 0
  #unopened = 0
  #openedAt = 0
  #silenceMs = 0
  #silence: ReturnType<typeof setTimeout> | undefined
  #retry: ReturnType<typeof setTimeout> | undefined
  #bye: Closing | undefined

  constructor(options: ConnectionOptions) {
    this.#options = options
  }

  /** Connects where nothing is under way. */
  open(): void {
    if (this.#socket === undefined && this.#retry === undefined) this.#connect()
  }

  /** The text of a frame. False: there is no open connection that has been welcomed, and nothing was sent. */
  send(text: string): boolean {
    if (!this.#welcomed || this.#socket?.readyState !== 1) return false
    this.#socket.send(text)
    return true
  }

  /** Characters that were sent and have not left this machine. */
  waiting(): number {
    return this.#socket?.bufferedAmount ?? 0
  }

  close(): void {
    clearTimeout(this.#retry)
    this.#drop()
    this.#stop()
  }

  #connect(): void {
    const { url, webSocket, handshakeMs, onState } = this.#options
    this.#bye = undefined
    this.#silenceMs = handshakeMs
    this.#openedAt = performance.now()
    try {
      const socket = new webSocket(url, [protocol])
      this.#socket = socket
      this.#listen()
      socket.onmessage = ({ data }) => socket === this.#socket && this.#receive(data)
      socket.onclose = (closing) => socket === this.#socket && this.#lose(closing)
      // A close follows, and tells more.
      socket.onerror = () => {}
    } catch (cause) {
      // In a later task, as all other refusals: `open` itself refuses nobody.
      this.#retry = setTimeout(() => {
        this.#retry = undefined
        this.#refuse(unconnectable(url, cause))
      }, 0)
    }
    // Last: its listener may close this connection, and with it the socket.
    onState('connecting')
  }

  #listen(): void {
    clearTimeout(this.#silence)
    this.#silence = setTimeout(() => this.#lose(), this.#silenceMs)
  }

  #receive(data: unknown): void {
    const frame = readFrame(data)
    if (frame === 'broken') this.#lose({ code: 4100, reason: 'the service sent a broken frame' })
    else {
      this.#listen()
      if (frame !== 'unknown') this.#take(frame, String(data).length)
    }
  }

  #take(frame: ServerFrame, length: number): void {
    if (frame.t === 'welcome') {
      this.#silenceMs = frame.pingMs * silentPings
      this.#listen()
      this.#welcomed = true
      this.#unopened = 0
      this.#options.onState('open')
    } else if (frame.t === 'bye') this.#bye = frame
    else if (frame.t === 'ping') this.send(pong)
    if (this.#welcomed) this.#options.onFrame(frame, length)
  }

  #drop(): void {
    const dropped = this.#socket
    clearTimeout(this.#silence)
    this.#socket = undefined
    this.#welcomed = false
    // On a dead line the closing handshake never ends: nobody waits for it.
    dropped?.close()
  }

  #lose(close?: Closing): void {
    const closing = this.#bye ?? close
    if (performance.now() - this.#openedAt > stableMs) this.#failures = 0
    if (!this.#welcomed) this.#unopened += 1
    this.#drop()
    this.#options.onLost()
    if (closing !== undefined && closing.code >= 4000 && closing.code < 4100)
      this.#refuse(
        refusedWith(`The service closed the connection: ${closing.code} ${closing.reason}`),
      )
    else if (this.#options.wanted()) {
      this.#retry = setTimeout(() => void this.#again(), this.#waitMs(closing))
      this.#failures += 1
      this.#options.onState('waiting')
    } else this.#options.onState('closed')
  }

  async #again(): Promise<void> {
    const { wanted } = this.#options
    const mine = this.#retry
    if (!wanted()) return this.#stop()
    const refusal = this.#unopened > handshakesLost ? await this.#options.refusal() : undefined
    // It was closed meanwhile.
    if (this.#retry !== mine) return
    if (!wanted()) return this.#stop()
    this.#retry = undefined
    if (refusal === undefined) this.#connect()
    else this.#refuse(refusal)
  }

  /** Nobody wants it any more. */
  #stop(): void {
    this.#retry = undefined
    this.#options.onState('closed')
  }

  #refuse(problem: Problem): void {
    this.#options.onState('closed')
    this.#options.onRefused(problem)
  }

  /** 42xx: at once, or when the service says; the rest: later and later. */
  #waitMs(closing: Closing | undefined): number {
    const { code = 0, retryMs } = closing ?? {}
    if (retryMs !== undefined) {
      const [minMs = 0, maxMs = minMs] = retryMs
      return Math.max(0, minMs + Math.random() * (maxMs - minMs))
    }
    const resumeNow = code >= 4200 && code < 4300
    return resumeNow && this.#failures === 0
      ? 0
      : fullJitterMs(this.#options.backoff, this.#failures)
  }
}

function unconnectable(url: string, cause: unknown): Problem {
  const reason = withShownUrl(cause instanceof Error ? cause.message : String(cause), url)
  return refusedWith(`No socket can be made to ${shownUrl(url)}: ${reason}`, { cause })
}

const refusedWith = (detail: string, options: { readonly cause?: unknown } = {}) =>
  new Problem('connection-refused', detail, options)
