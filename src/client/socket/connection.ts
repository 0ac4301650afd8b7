/**
 * One WebSocket at a time to the service, for as long as somebody wants it: connects, notices a dead
 * peer, comes back with full jitter, obeys `bye` and close codes. What travels on it is others' concern.
 */

import { type Backoff, fullJitterMs } from '../../mechanics/backoff.ts'
import { Problem } from '../../problem.ts'
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

export type Connection = {
  /** Connects where nothing is under way. */
  open(): void
  /** The text of a frame. False: there is no open connection that has been welcomed, and nothing was sent. */
  send(text: string): boolean
  /** Gives up this socket and makes another. */
  restart(): void
  /** Characters that were sent and have not left this machine. */
  waiting(): number
  close(): void
}

/** Without any frame for this many intervals of its pings, the peer is dead. */
const silentPings = 2.5
/** A connection that lasted this long was a good one: the next failure is the first. */
const stableMs = 5000

const pong = JSON.stringify({ t: 'pong' } satisfies ClientFrame)

/** So many handshakes in a row fail for what may pass, a restart or a lost network. */
const handshakesLost = 1

export function createConnection(options: ConnectionOptions): Connection {
  let socket: WebSocket | undefined
  let welcomed = false
  let failures = 0
  let unopened = 0
  let openedAt = 0
  let silenceMs = options.handshakeMs
  let silence: ReturnType<typeof setTimeout> | undefined
  let retry: ReturnType<typeof setTimeout> | undefined
  let bye: { code: number; reason: string; retryMs?: readonly number[] } | undefined

  const listen = () => {
    clearTimeout(silence)
    silence = setTimeout(() => lose(), silenceMs)
  }

  const connect = () => {
    bye = undefined
    silenceMs = options.handshakeMs
    openedAt = performance.now()
    let made: WebSocket
    try {
      made = new options.webSocket(options.url, [protocol])
    } catch (cause) {
      // In a later task, as all other refusals: `open` itself refuses nobody.
      retry = setTimeout(() => {
        retry = undefined
        refuse(unconnectable(options.url, cause))
      }, 0)
      return options.onState('connecting')
    }
    socket = made
    listen()
    made.onmessage = ({ data }) => made === socket && receive(data)
    made.onclose = ({ code, reason }) => made === socket && lose({ code, reason })
    // A close follows, and tells more.
    made.onerror = () => {}
    // Last: its listener may close this connection, and with it the socket.
    options.onState('connecting')
  }

  const receive = (data: unknown) => {
    const frame = readFrame(data)
    if (frame === 'broken') return lose({ code: 4100, reason: 'the service sent a broken frame' })
    listen()
    if (frame === 'unknown') return
    if (frame.t === 'welcome') {
      silenceMs = frame.pingMs * silentPings
      listen()
      welcomed = true
      unopened = 0
      options.onState('open')
    } else if (frame.t === 'bye') bye = frame
    else if (frame.t === 'ping') send(pong)
    if (welcomed) options.onFrame(frame, String(data).length)
  }

  const send = (text: string): boolean => {
    if (socket === undefined || !welcomed || socket.readyState !== 1) return false
    socket.send(text)
    return true
  }

  const drop = () => {
    const dropped = socket
    clearTimeout(silence)
    socket = undefined
    welcomed = false
    // On a dead line the closing handshake never ends: nobody waits for it.
    dropped?.close()
  }

  const lose = (close?: { code: number; reason: string }) => {
    const said = bye ?? close
    if (performance.now() - openedAt > stableMs) failures = 0
    if (!welcomed) unopened += 1
    drop()
    options.onLost()
    if (said !== undefined && said.code >= 4000 && said.code < 4100) {
      refuse(closedWith(said))
    } else if (options.wanted()) {
      const wait = waitMs(said)
      failures += 1
      retry = setTimeout(() => void again(), wait)
      options.onState('waiting')
    } else options.onState('closed')
  }

  const again = async () => {
    const mine = retry
    if (!options.wanted()) return stop()
    const refusal = unopened > handshakesLost ? await options.refusal() : undefined
    // It was closed meanwhile.
    if (retry !== mine) return
    if (!options.wanted()) return stop()
    if (refusal === undefined) return connect()
    retry = undefined
    refuse(refusal)
  }

  /** Nobody wants it any more. */
  const stop = () => {
    retry = undefined
    options.onState('closed')
  }

  const refuse = (problem: Problem) => {
    options.onState('closed')
    options.onRefused(problem)
  }

  /** 42xx: at once, or when the service says; the rest: later and later. */
  const waitMs = (said: typeof bye): number => {
    if (said?.retryMs !== undefined) {
      const [least = 0, most = least] = said.retryMs
      return Math.max(0, least + Math.random() * (most - least))
    }
    const resumeNow = said !== undefined && said.code >= 4200 && said.code < 4300
    return resumeNow && failures === 0 ? 0 : fullJitterMs(options.backoff, failures)
  }

  return {
    open() {
      if (socket === undefined && retry === undefined) connect()
    },
    send,
    restart() {
      if (socket !== undefined) lose()
    },
    waiting: () => socket?.bufferedAmount ?? 0,
    close() {
      clearTimeout(retry)
      retry = undefined
      if (socket !== undefined) drop()
      options.onState('closed')
    },
  }
}

function unconnectable(url: string, cause: unknown): Problem {
  const reason = withShownUrl(cause instanceof Error ? cause.message : String(cause), url)
  const detail = `No socket can be made to ${shownUrl(url)}: ${reason}`
  return new Problem('connection-refused', detail, { cause })
}

function closedWith({ code, reason }: { code: number; reason: string }): Problem {
  return new Problem('connection-refused', `The service closed the connection: ${code} ${reason}`)
}
