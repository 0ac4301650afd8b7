/**
 * A hostile client of the live socket, in a process of its own: `bun test/support/live/flood.ts
 * <http URL on loopback> <kind> <milliseconds> [conversation]`. It writes one kind of frame as fast
 * as the service takes them, then prints the end of its socket as a line of JSON.
 */
import { once } from 'node:events'
import { RawSocket } from './raw-socket.ts'

/** The result of one flood. */
export type FloodReport = {
  /** Frames written to the kernel. */
  readonly sent: number
  readonly closed: boolean
  readonly closeCode: number | null
  /** The code of the `bye` frame. */
  readonly byeCode: number | null
  /** Milliseconds for which the socket was open. */
  readonly lastedMs: number
}

const [text, binary, ping, pong] = [1, 2, 9, 10]

const frames: Readonly<Record<string, (c: string) => [payload: string, opcode: number]>> = {
  ping: () => ['', ping],
  // A client that does not read makes the service buffer the pongs.
  'deaf-ping': () => ['x'.repeat(125), ping],
  pong: () => ['', pong],
  'pong-frame': () => ['{"t":"pong"}', text],
  auth: () => ['{"t":"auth","token":"x"}', text],
  empty: () => ['', text],
  'not-json': () => ['{', text],
  unknown: () => ['{"t":"x"}', text],
  binary: () => ['', binary],
  sub: (c) => [JSON.stringify({ t: 'sub', c }), text],
  unsub: (c) => [JSON.stringify({ t: 'unsub', c }), text],
  partial: (c) => [JSON.stringify({ t: 'partial', c, role: 'ai', text: 'so far' }), text],
  'too-large': () => [JSON.stringify({ t: 'auth', token: 'x'.repeat(400_000) }), text],
  large: () => [JSON.stringify({ t: 'auth', token: 'x'.repeat(130_000) }), text],
  nested: () => ['['.repeat(130_000), text],
  fragment: () => ['', 0],
}

export const floodKinds = Object.keys(frames)

/** The maximum duration of a flood, in milliseconds. */
const longestMs = 10_000
const blockBytes = 65_536

/** Resolves when more can be written, when the socket has closed, or at the time `until`. */
async function drained({ socket }: RawSocket, until: number): Promise<void> {
  const over = new AbortController()
  const timer = setTimeout(() => over.abort(), Math.max(0, until - performance.now()))
  const { signal } = over
  await Promise.race([once(socket, 'drain', { signal }), once(socket, 'close', { signal })]).catch(
    () => {},
  )
  over.abort()
  clearTimeout(timer)
}

async function flood(url: string, kind: string, ms: number, c: string): Promise<FloodReport> {
  const { hostname } = new URL(url)
  if (!/^(127\.|localhost$|\[::1\]$)/.test(hostname))
    throw new Error('a flood may only go to this machine')
  const make = frames[kind]
  if (make === undefined)
    throw new Error(`unknown kind of flood; the kinds are ${floodKinds.join(', ')}`)
  const one = RawSocket.frame(...make(c))
  const count = Math.max(1, Math.floor(blockBytes / one.byteLength))
  const block = Buffer.concat(Array.from({ length: count }, () => one))
  const raw = await RawSocket.open(url, '/v1/live')
  if (kind === 'deaf-ping') raw.socket.pause()
  if (kind === 'fragment') raw.socket.write(RawSocket.frame('', text, false))
  const began = performance.now()
  const until = began + Math.min(ms, longestMs)
  let sent = 0
  while (performance.now() < until && !raw.closed) {
    sent += count
    if (raw.socket.write(block)) await new Promise((resolve) => setImmediate(resolve))
    else await drained(raw, until)
  }
  const bye = raw.texts.find((one) => one.startsWith('{"t":"bye"'))
  const report = {
    sent,
    closed: raw.closed,
    closeCode: raw.closeCode ?? null,
    byeCode: bye === undefined ? null : Number(JSON.parse(bye).code),
    lastedMs: Math.round(performance.now() - began),
  }
  raw.socket.destroy()
  return report
}

if (import.meta.main) {
  const [url = '', kind = 'ping', ms = '1000', c = ''] = process.argv.slice(2)
  console.log(JSON.stringify(await flood(url, kind, Number(ms), c)))
  process.exit(0)
}
