/**
 * Recognises a connect that failed because only one side uses TLS. The runtime reports a reset or a
 * timeout then. So the server is asked once more: in plain text if the URL asks for TLS, and with
 * TLS if it does not.
 */
import { connect as connectPlain, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

export type Target = {
  readonly host: string
  readonly port: number
  /** Whether the URL asks for TLS. */
  readonly tls: boolean
  /** A message in plain text that a server without TLS answers at once. */
  readonly hello: Uint8Array
  /** Whether the answer to `hello` shows a server without TLS. */
  isPlain(answer: Uint8Array): boolean
}

/** Milliseconds that the server has to answer. */
const withinMs = 1000

/**
 * Says what is wrong with the URL; undefined if TLS is not the reason. It takes at most a second.
 */
export async function tlsMismatch(target: Target): Promise<string | undefined> {
  const { host, port, tls, hello, isPlain } = target
  if (!tls) {
    const secure = connectTls({ host, port, servername: nameOf(host), rejectUnauthorized: false })
    return (await settled(secure, 'secureConnect')) === undefined
      ? undefined
      : 'it requires TLS, and the URL asks for none'
  }
  const plain = connectPlain({ host, port })
  plain.on('connect', () => plain.write(hello))
  const answer = await settled(plain, 'data')
  return answer !== undefined && isPlain(answer)
    ? 'it offers no TLS, and the URL asks for it'
    : undefined
}

/**
 * The host name for TLS' server name indication, which must not be an IP address: then it is empty.
 */
const nameOf = (host: string) => (/^[\d.]+$|:/.test(host) ? '' : host)

/**
 * Waits for the first event of this name. Undefined if the socket ends first, or after a second.
 */
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
