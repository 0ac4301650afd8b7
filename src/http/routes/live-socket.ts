/** `/v1/live`: it turns a request into a WebSocket. Only this file knows Bun's sockets. */
import { authenticate } from '../../auth.ts'
import { canonicalId } from '../../conversation/wire/ids.ts'
import type { Principal } from '../../conversation/wire/principal.ts'
import type { Live } from '../../live/live.ts'
import { protocolName, tailMax } from '../../live/protocol/frame-fields.ts'
import type { ClientFrames } from '../../live/protocol/protocol.ts'
import { Outbox, type Watermarks, type WriteOutcome } from '../../live/socket/outbox.ts'
import { Session } from '../../live/socket/session.ts'
import { Problem, violationProblem } from '../../problem.ts'
import { followedConversation, since, tail } from '../openapi/fields.ts'
import { inputs } from '../openapi/parameters.ts'
import { originRefused } from '../request/access.ts'
import type { Router } from '../services.ts'

export const livePath = '/v1/live'

export type LiveServices = {
  /** Whether the request comes from a web page that may not connect. */
  isForbiddenPage(request: Request): boolean
  /** Whether the service is about to stop. */
  draining(): boolean
}

/** The `data` of Bun's socket until it opens. From then on, `data` is the session. */
type Opening = {
  readonly principal: Principal
  readonly firstSub: ClientFrames['sub'] | undefined
}

/** The members of Bun's `ServerWebSocket` that this file uses. */
type BunSocket = {
  data: unknown
  sendText(text: string): number
  getBufferedAmount(): number
  ping(): number
  pause(): void
  resume(): void
  cork(work: () => void): void
  close(code: number, reason: string): void
  terminate(): void
}

export function addLive(router: Router, { isForbiddenPage, draining }: LiveServices): void {
  const parameters = inputs({
    conversation: followedConversation,
    cursor: { ...since, name: 'cursor' },
    tail: tail(tailMax),
  })
  router.get(
    livePath,
    ({ request, server }) => {
      const query = parameters.read(request, {})
      const { headers } = request
      if (isForbiddenPage(request)) throw originRefused()
      const offered = headers.get('sec-websocket-protocol')
      if (offered !== null && !offered.split(',').some((one) => one.trim() === protocolName))
        throw new Problem('protocol-unsupported')
      if (draining()) throw new Problem('draining')
      const opening: Opening = {
        principal: authenticate(request),
        firstSub: firstSubscription(query),
      }
      // Checked last, so that a plain GET gets the same error as a handshake.
      if (headers.get('upgrade')?.toLowerCase() !== 'websocket')
        throw new Problem('upgrade-required')
      const isUpgraded = server?.upgrade(request, {
        data: opening,
        // A browser closes a socket whose answer names a subprotocol that it did not offer.
        headers: offered === null ? {} : { 'sec-websocket-protocol': protocolName },
      })
      if (isUpgraded !== true)
        throw new Problem('upgrade-required', 'The request is not a valid WebSocket handshake.')
      // The upgrade has answered the request already: the runtime ignores this response.
      return new Response(null)
    },
    { detail: { hide: true } },
  )
}

type Query = { readonly conversation?: string; readonly cursor?: string; readonly tail?: number }

/** The subscription in the query of the address, if there is one. */
function firstSubscription({ conversation, cursor, tail }: Query): ClientFrames['sub'] | undefined {
  const refuse = (pointer: string, message: string) =>
    violationProblem([{ code: 'field-invalid', in: 'query', pointer, message }])
  if (cursor !== undefined && tail !== undefined)
    throw refuse('/tail', 'cannot be combined with `cursor`')
  if (conversation === undefined) {
    if (cursor !== undefined || tail !== undefined)
      throw refuse('/conversation', 'is required with `cursor` or `tail`')
    return undefined
  }
  return {
    t: 'sub',
    c: canonicalId(conversation),
    ...(cursor === undefined ? {} : { cursor }),
    ...(tail === undefined ? {} : { tail }),
  }
}

/** The callbacks that Bun's server calls for each socket. */
export function socketHandlers(live: Live) {
  const sessionOf = ({ data }: BunSocket) => (data instanceof Session ? data : undefined)
  return {
    // A larger frame closes the socket with 1009. Up to this size, too large frames get a problem.
    maxPayloadLength: 4 * live.frameBytesMax,
    // Higher than the bound of the outbox: above Bun's own bound, frames would be dropped.
    backpressureLimit: 4 * live.watermarks.hardBytes + 16 * 1_048_576,
    closeOnBackpressureLimit: false,
    perMessageDeflate: false,
    // The heartbeat sends its own pings. `idleTimeout` (seconds) closes sockets that the heartbeat
    // misses.
    sendPings: false,
    idleTimeout: 960,
    open(ws: BunSocket) {
      const { principal, firstSub } = ws.data as Opening
      ws.data = live.connect(new LiveSocket(ws, live.watermarks), principal, firstSub)
    },
    message(ws: BunSocket, sent: string | object) {
      sessionOf(ws)?.receive(sent)
    },
    drain(ws: BunSocket) {
      sessionOf(ws)?.writable()
    },
    ping(ws: BunSocket) {
      sessionOf(ws)?.control()
    },
    pong(ws: BunSocket) {
      sessionOf(ws)?.control()
    },
    close(ws: BunSocket) {
      sessionOf(ws)?.closed()
    },
  }
}

/** LiveSocket is the outbox of one of Bun's sockets. */
class LiveSocket extends Outbox {
  readonly #ws: BunSocket

  constructor(ws: BunSocket, marks: Watermarks) {
    super(marks)
    this.#ws = ws
  }

  protected write(text: string): WriteOutcome {
    const sent = this.#ws.sendText(text)
    return sent > 0 ? 'sent' : sent < 0 ? 'waiting' : 'dropped'
  }

  protected buffered(): number {
    return this.#ws.getBufferedAmount()
  }

  override ping(): void {
    this.#ws.ping()
  }

  override pauseReading(): void {
    this.#ws.pause()
  }

  override resumeReading(): void {
    this.#ws.resume()
  }

  override together(work: () => void): void {
    this.#ws.cork(work)
  }

  protected close(code: number, reason: string): void {
    this.#ws.close(code, reason)
  }

  protected terminate(): void {
    this.#ws.terminate()
  }
}
