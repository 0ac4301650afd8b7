/**
 * A scripted WebSocket server for tests of clients, with a conversation to deliver. It speaks the
 * frames of `turnlog.v1` and has nothing else of the service.
 */
import type { ServerWebSocket } from 'bun'
import type { ClientFrame } from '../../../src/client/wire/client-frames.ts'
import { nullFields } from '../../../src/conversation/wire/null-fields.ts'
import type { Change, Message } from '../../../src/conversation/wire/schemas.ts'

export type PeerSocket = {
  /** The number of the connection, from 0. */
  readonly number: number
  readonly received: ClientFrame[]
  /** Sends an object as JSON, or a string unchanged. */
  send(frame: object | string): void
  close(code: number, reason: string): void
  /** Cuts the connection without a close frame. */
  cut(): void
  isOpen(): boolean
}

export type Peer = AsyncDisposable & {
  readonly url: string
  readonly sockets: PeerSocket[]
}

export type PeerOptions = {
  readonly pingMs?: number
  readonly credit?: { readonly frames: number; readonly bytes: number }
  readonly limits?: { readonly frameBytes: number; readonly subscriptions: number }
  /** Whether the peer sends nothing on this connection. */
  readonly mute?: (socket: PeerSocket) => boolean
  readonly onOpen?: (socket: PeerSocket) => void
  readonly onFrame: (socket: PeerSocket, frame: ClientFrame) => void | Promise<void>
}

export function startPeer(options: PeerOptions): Peer {
  const { pingMs = 60_000, credit = { frames: 32, bytes: 1_048_576 } } = options
  const { limits = { frameBytes: 262_144, subscriptions: 128 } } = options
  const sockets: PeerSocket[] = []
  const server = Bun.serve<PeerSocket | undefined>({
    port: 0,
    hostname: '127.0.0.1',
    fetch: (request, server) =>
      server.upgrade(request, { data: undefined })
        ? undefined
        : new Response('no socket', { status: 400 }),
    websocket: {
      idleTimeout: 0,
      open(raw) {
        const socket = peerSocket(raw, sockets.length)
        raw.data = socket
        sockets.push(socket)
        if (options.mute?.(socket) === true) return
        socket.send({ t: 'welcome', v: 'turnlog.v1', pingMs, credit, limits })
        options.onOpen?.(socket)
      },
      async message({ data: socket }, text) {
        if (socket === undefined) return
        const frame = JSON.parse(String(text))
        socket.received.push(frame)
        if (options.mute?.(socket) !== true) await options.onFrame(socket, frame)
      },
      close({ data: socket }) {
        if (socket !== undefined) Object.assign(socket, { isOpen: () => false })
      },
    },
  })
  return {
    url: `http://127.0.0.1:${server.port}`,
    sockets,
    async [Symbol.asyncDispose]() {
      await server.stop(true)
    },
  }
}

function peerSocket(raw: ServerWebSocket<PeerSocket | undefined>, number: number): PeerSocket {
  return {
    number,
    received: [],
    send: (frame) => void raw.send(typeof frame === 'string' ? frame : JSON.stringify(frame)),
    close: (code, reason) => raw.close(code, reason),
    cut: () => raw.terminate(),
    isOpen: () => raw.readyState === 1,
  }
}

export const conversationId = '0192f0c1-7c00-7000-8000-0000000000aa'

/** A change of the conversation, which takes one version: a new message, or a changed one. */
export type Step = { readonly kind: 'message' } | { readonly kind: 'touch'; readonly which: number }

/** A conversation as a database stores it. Version 1 is its creation. */
export function createTruth(steps: readonly Step[], text = '') {
  const touchedAt: { id: string; versions: number[] }[] = []
  steps.forEach((step, index) => {
    const version = index + 2
    const old =
      step.kind === 'touch' ? touchedAt[step.which % Math.max(1, touchedAt.length)] : undefined
    if (old !== undefined) old.versions.push(version)
    else touchedAt.push({ id: `m${touchedAt.length + 1}`, versions: [version] })
  })

  const messagesAt = (from: number, version: number): Message[] =>
    touchedAt.flatMap(({ id, versions }, index) => {
      const last = versions.filter((one) => one <= version).at(-1) ?? 0
      return last > from ? [message(id, index + 1, last, text)] : []
    })

  return {
    head: steps.length + 1,
    cursor: (version: number) => `cursor-${version}`,
    version: (cursor: string) => Number(cursor.slice('cursor-'.length)),
    /** All messages that changed after `from`, in their state at `version`. */
    change: (from: number, version: number): Change => ({
      from,
      version,
      cursor: `cursor-${version}`,
      messages: messagesAt(from, version),
    }),
  }
}
export type Truth = ReturnType<typeof createTruth>

const message = (id: string, seq: number, version: number, text: string): Message => ({
  id,
  conversationId,
  turnId: id,
  seq,
  version,
  role: seq % 2 === 1 ? 'human' : 'ai',
  parts: [`${text}${id}@${version}`],
  content: `${text}${id}@${version}`,
  messageType: 'text',
  ...nullFields,
  createdAt: '2026-11-23T09:30:00.000000Z',
  state: 'filled',
})
