/**
 * Connection keeps one WebSocket to the service open while it is needed. It connects, detects a dead peer, reconnects
 * after random waits (full jitter), and obeys `bye` frames and close codes. It does not know the other frames.
 */
import { type Backoff, fullJitterMs } from '../../mechanics/backoff.ts'
import { Problem } from '../../problem-error.ts'
import { shownUrl, withShownUrl } from '../shown-url.ts'
import { type ClientFrame, protocol, readFrame, type ServerFrame } from '../wire/client-frames.ts'

/** A WebSocket class, such as that of browsers, Bun, Deno and Node. */
export type WebSocketClass = new (url: string, protocols: string[]) => WebSocket

/**
 * The state of a connection. `waiting`: it was lost, and the client waits before it connects again.
 */
export type ConnectionState = 'closed' | 'connecting' | 'open' | 'waiting'

export type ConnectionOptions = {
  readonly url: string
  readonly webSocket: WebSocketClass
  readonly backoff: Backoff
  /** How long the `welcome` frame may take, in milliseconds. */
  readonly handshakeMs: number
  /** Whether a lost connection should be opened again. */
  readonly isWanted: () => boolean
  /** Called with each frame, and its length in characters. */
  readonly onFrame: (frame: ServerFrame, length: number) => void
  /** Called when the socket is lost: no further frame arrives, and sent frames may not have arrived. */
  readonly onLost: () => void
  /** Called when the service refuses this client. The connection is then not opened again by itself. */
  readonly onRefused: (problem: Problem) => void
  readonly onState: (state: ConnectionState) => void
  /** Finds out why handshakes fail. Returns the problem if retrying cannot help. Never rejects. */
  readonly refusal: () => Promise<Problem | undefined>
}

/** The reason why a socket was closed, from its close frame or from a `bye` frame before it. */
type Closing = {
  readonly code: number
  readonly reason: string
  /** The earliest and the latest time to reconnect, in milliseconds from now. */
  readonly retryMs?: readonly number[]
}

/** Ping intervals without any frame after which the peer counts as dead. */
const silentPings = 2.5
/** Milliseconds after which a connection counts as stable: the next failure is then the first one. */
const stableMs = 5000

const pong = JSON.stringify({ t: 'pong' } satisfies ClientFrame)

/**
 * Failed handshakes in a row that a restart or a lost network may explain. After more, the client requests the address
 * with `fetch` to find the reason.
 */
const unexplainedHandshakes = 1

export class Connection {
  readonly #options: ConnectionOptions
  #socket: WebSocket | undefined
  #welcomed = false
  /** Connections in a row that were lost before they were stable, and failed handshakes. */
  #failures = 0
  /** Failed handshakes in a row. */
  #failedOpens = 0
  #openedAt = 0
  /** How long the peer may be silent, in milliseconds. */
  #silenceMs = 0
  #silence: ReturnType<typeof setTimeout> | undefined
  #retry: ReturnType<typeof setTimeout> | undefined
  #bye: Closing | undefined

  constructor(options: ConnectionOptions) {
    this.#options = options
  }

  /** Connects, unless a connection is open or about to be opened. */
  open(): void {
    if (this.#socket === undefined && this.#retry === undefined) this.#connect()
  }

  /** Sends the text of a frame. Returns false if no connection has been welcomed; then nothing was sent. */
  send(text: string): boolean {
    if (!this.#welcomed || this.#socket?.readyState !== 1) return false
    this.#socket.send(text)
    return true
  }

  /** Characters that were sent and have not left this machine yet. */
  waiting(): number {
    return this.#socket?.bufferedAmount ?? 0
  }

  /** Closes the connection. */
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
      // A close event follows, and has the reason.
      socket.onerror = () => {}
    } catch (cause) {
      // Reported in a later task, as all other refusals are: `open` itself never reports one.
      this.#retry = setTimeout(() => {
        this.#retry = undefined
        this.#refuse(socketProblem(url, cause))
      }, 0)
    }
    // This call is the last, because its listener may close this connection and its socket.
    onState('connecting')
  }

  /** Restarts the timer after which a silent peer counts as dead. */
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
      this.#failedOpens = 0
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
    // The closing handshake is not awaited: on a dead line it never ends.
    dropped?.close()
  }

  #lose(close?: Closing): void {
    const closing = this.#bye ?? close
    if (performance.now() - this.#openedAt > stableMs) this.#failures = 0
    if (!this.#welcomed) this.#failedOpens += 1
    this.#drop()
    this.#options.onLost()
    if (closing !== undefined && closing.code >= 4000 && closing.code < 4100)
      this.#refuse(
        refusedWith(`The service closed the connection: ${closing.code} ${closing.reason}`),
      )
    else if (this.#options.isWanted()) {
      this.#retry = setTimeout(() => void this.#reconnect(), this.#waitMs(closing))
      this.#failures += 1
      this.#options.onState('waiting')
    } else this.#options.onState('closed')
  }

  async #reconnect(): Promise<void> {
    const { isWanted } = this.#options
    const ownRetry = this.#retry
    if (!isWanted()) return this.#stop()
    const refusal =
      this.#failedOpens > unexplainedHandshakes ? await this.#options.refusal() : undefined
    // The connection was closed meanwhile.
    if (this.#retry !== ownRetry) return
    if (!isWanted()) return this.#stop()
    this.#retry = undefined
    if (refusal === undefined) this.#connect()
    else this.#refuse(refusal)
  }

  /** Stays closed, because nothing needs the connection any more. */
  #stop(): void {
    this.#retry = undefined
    this.#options.onState('closed')
  }

  #refuse(problem: Problem): void {
    this.#options.onState('closed')
    this.#options.onRefused(problem)
  }

  /**
   * The wait before the next connection, in milliseconds. It is a random time in the range that the service names in
   * its `bye` frame. Without a range, it is zero after the first loss if the close code is 42xx, otherwise a random time
   * whose bound grows.
   */
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

/** The problem of a socket that the runtime cannot create. */
function socketProblem(url: string, cause: unknown): Problem {
  const reason = withShownUrl(cause instanceof Error ? cause.message : String(cause), url)
  return refusedWith(`No WebSocket can be opened to ${shownUrl(url)}: ${reason}`, { cause })
}

const refusedWith = (detail: string, options: { readonly cause?: unknown } = {}) =>
  new Problem('connection-refused', detail, options)
