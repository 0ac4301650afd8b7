/**
 * RawSocket is a WebSocket client on bare TCP: it can stop reading, ignore pings and send invalid
 * bytes.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export class RawSocket {
  readonly texts: string[] = []
  readonly socket: Socket
  closeCode: number | undefined
  closed = false
  #rest: Buffer = Buffer.alloc(0)

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('error', () => {})
    socket.on('close', () => {
      this.closed = true
    })
  }

  static async open(
    url: string,
    path: string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<RawSocket> {
    const { hostname, port } = new URL(url)
    const raw = new RawSocket(connect(Number(port), hostname))
    await once(raw.socket, 'connect')
    raw.socket.write(
      `GET ${path} HTTP/1.1\r\nHost: ${hostname}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n' +
        `${Object.entries(headers)
          .map(([name, value]) => `${name}: ${value}\r\n`)
          .join('')}\r\n`,
    )
    await new Promise<void>((resolve, reject) => {
      let head = Buffer.alloc(0)
      const take = (chunk: Buffer) => {
        head = Buffer.concat([head, chunk])
        const end = head.indexOf('\r\n\r\n')
        if (end === -1) return
        raw.socket.off('data', take)
        if (!head.toString().startsWith('HTTP/1.1 101')) reject(new Error(head.toString()))
        raw.socket.on('data', (more: Buffer) => raw.#take(more))
        raw.#take(head.subarray(end + 4))
        resolve()
      }
      raw.socket.on('data', take)
    })
    return raw
  }

  /**
   * The bytes of one frame. `opcode` is 1 for text, 2 for binary, 9 for a ping, 10 for a pong.
   * `isLast` is false if another fragment follows.
   */
  static frame(payload: string | Uint8Array, opcode = 1, isLast = true): Buffer {
    const bytes = Buffer.from(payload as string)
    const length = bytes.byteLength
    const head = Buffer.alloc(length < 126 ? 6 : length < 65_536 ? 8 : 14)
    head[0] = (isLast ? 0x80 : 0) | opcode
    // A client must mask its frames. The mask is zero.
    if (length < 126) head[1] = 0x80 | length
    else if (length < 65_536) {
      head[1] = 0x80 | 126
      head.writeUInt16BE(length, 2)
    } else {
      head[1] = 0x80 | 127
      head.writeBigUInt64BE(BigInt(length), 2)
    }
    return Buffer.concat([head, bytes])
  }

  send(payload: string | Uint8Array, opcode = 1): void {
    this.socket.write(RawSocket.frame(payload, opcode))
  }

  #take(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    for (;;) {
      const frame = this.#next()
      if (frame === undefined) return
      if (frame.opcode === 1) this.texts.push(frame.payload.toString())
      if (frame.opcode === 8) this.closeCode = frame.payload.readUInt16BE(0)
    }
  }

  #next(): { opcode: number; payload: Buffer } | undefined {
    const rest = this.#rest
    if (rest.length < 2) return undefined
    const short = rest.readUInt8(1) & 0x7f
    const start = short < 126 ? 2 : short === 126 ? 4 : 10
    if (rest.length < start) return undefined
    const length =
      short < 126 ? short : short === 126 ? rest.readUInt16BE(2) : Number(rest.readBigUInt64BE(2))
    if (rest.length < start + length) return undefined
    this.#rest = rest.subarray(start + length)
    return { opcode: rest.readUInt8(0) & 0x0f, payload: rest.subarray(start, start + length) }
  }
}

export type RawAnswer = {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/** The answer of a server to these bytes. Fails if the server closes without an answer. */
export async function rawAnswer(url: string, request: string): Promise<RawAnswer> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  try {
    socket.write(request)
    let got = Buffer.alloc(0)
    for await (const chunk of socket) {
      got = Buffer.concat([got, chunk])
      const answer = parsed(got, request.startsWith('HEAD '))
      if (answer !== undefined) return answer
    }
    throw new Error(`closed after: ${got.toString()}`)
  } finally {
    socket.destroy()
  }
}

function parsed(got: Buffer, isHead: boolean): RawAnswer | undefined {
  const end = got.indexOf('\r\n\r\n')
  if (end === -1) return undefined
  const [first = '', ...lines] = got.subarray(0, end).toString('latin1').split('\r\n')
  const headers = new Headers(
    lines.map((line): [string, string] => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon), line.slice(colon + 1).trim()]
    }),
  )
  const status = Number(first.split(' ')[1])
  const rest = got.subarray(end + 4)
  if (isHead || status === 204) return { status, headers, text: '' }
  if (headers.get('transfer-encoding') !== 'chunked') {
    const length = Number(headers.get('content-length'))
    return rest.length < length ? undefined : { status, headers, text: rest.toString() }
  }
  if (!rest.subarray(-5).equals(Buffer.from('0\r\n\r\n'))) return undefined
  let text = ''
  for (let at = 0; ; ) {
    const line = rest.indexOf('\r\n', at)
    const length = Number.parseInt(rest.subarray(at, line).toString(), 16)
    if (!(length > 0)) return { status, headers, text }
    text += rest.subarray(line + 2, line + 2 + length).toString()
    at = line + 2 + length + 2
  }
}
