/**
 * Why a connect failed where one side asks for TLS and the other speaks none. The runtime tells of a
 * reset or a timeout then, so the server is asked once more, in the plain and in the other way.
 */
import { connect as connectPlain, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

export type Target = {
  readonly host: string
  readonly port: number
  /** Whether the URL asks for TLS. */
  readonly tls: boolean
  /** What a server without TLS answers at once, in plain. */
  readonly hello: Uint8Array
  /** Whether that answer is one of a server that speaks plain. */
  isPlain(answer: Uint8Array): boolean
}

const withinMs = 1000

/** What is wrong with the URL; undefined where TLS is not the reason. Settles within a second. */
export async function tlsMismatch(target: Target): Promise<string | undefined> {
  const { host, port, tls, hello, isPlain } = target
  if (!tls) {
    const secure = connectTls({ host, port, servername: nameOf(host), rejectUnauthorized: false })
    return (await settled(secure, 'secureConnect')) === undefined
      ? undefined
      : 'it wants TLS, and the URL asks for none'
  }
  const plain = connectPlain({ host, port })
  plain.on('connect', () => plain.write(hello))
  const answer = await settled(plain, 'data')
  return answer !== undefined && isPlain(answer)
    ? 'it offers no TLS, and the URL asks for it'
    : undefined
}

/** The name for SNI, which may be no IP address. */
const nameOf = (host: string) => (/^[\d.]+$|:/.test(host) ? '' : host)

/** The first event of this name; undefined if the socket ends first, or no event comes in time. */
async function settled(socket: Socket, event: string): Promise<Uint8Array | undefined> {
  const { promise, resolve } = Promise.withResolvers<Uint8Array | undefined>()
  const timer = setTimeout(() => resolve(undefined), withinMs)
  socket.once(event, (chunk?: Uint8Array) => resolve(chunk ?? new Uint8Array()))
  socket.on('error', () => resolve(undefined))
  socket.on('close', () => resolve(undefined))
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    socket.destroy()
  }
}
