/**
 * A load of HTTP requests over keep-alive sockets, each with one request in flight. It writes
 * prepared bytes and reads only the status and the length of the answer, so that on shared cores
 * the server gets nearly all of the CPU.
 */
import { connect } from 'node:net'
import { median } from '../report/comparison.ts'

export type LoadResult = {
  readonly requests: number
  readonly requestsPerSecond: number
  readonly medianMs: number
  readonly failures: number
}

/** `next` returns the n-th request as bytes. Any answer but 2xx counts as a failure. */
export async function httpLoad(options: {
  port: number
  connections: number
  seconds: number
  next: (n: number) => Buffer
}): Promise<LoadResult> {
  let sent = 0
  let failures = 0
  const waits: number[] = []
  const until = performance.now() + options.seconds * 1000

  const drive = () =>
    new Promise<void>((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port: options.port, noDelay: true })
      let buffered: Buffer = Buffer.alloc(0)
      let since = 0
      const send = () => {
        if (performance.now() >= until) {
          socket.end()
          resolve()
          return
        }
        since = performance.now()
        socket.write(options.next(sent))
        sent += 1
      }
      socket.on('connect', send)
      socket.on('error', reject)
      socket.on('data', (data) => {
        const chunk = typeof data === 'string' ? Buffer.from(data) : data
        buffered = buffered.length === 0 ? chunk : Buffer.concat([buffered, chunk])
        const end = buffered.indexOf('\r\n\r\n')
        if (end < 0) return
        const head = buffered.toString('latin1', 0, end)
        const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)
        if (buffered.length < end + 4 + length) return
        buffered = Buffer.alloc(0)
        waits.push(performance.now() - since)
        if (!head.startsWith('HTTP/1.1 2')) failures += 1
        send()
      })
    })

  const started = performance.now()
  await Promise.all(Array.from({ length: options.connections }, drive))
  const took = performance.now() - started
  return {
    requests: waits.length,
    requestsPerSecond: (waits.length * 1000) / took,
    medianMs: median(waits),
    failures,
  }
}

/** The bytes of a whole GET, or of a POST of JSON if there is a body. */
export function requestBytes({ path, body }: { path: string; body?: unknown }): Buffer {
  const text = body === undefined ? '' : JSON.stringify(body)
  const lines = [
    `${body === undefined ? 'GET' : 'POST'} ${path} HTTP/1.1`,
    'Host: localhost:3000',
    ...(body === undefined
      ? []
      : ['Content-Type: application/json', `Content-Length: ${Buffer.byteLength(text)}`]),
  ]
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${text}`)
}
