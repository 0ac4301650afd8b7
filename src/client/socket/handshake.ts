/**
 * The reason why a handshake failed. A WebSocket does not report it, so the client requests the same address with
 * `fetch`. The service checks this request as it checks a handshake, and answers 426 if it would have accepted one.
 */
import { Problem } from '../../problem-error.ts'
import { isProblem, parsed } from '../wire/problem-json.ts'

export type HandshakeOptions = {
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>
  /** How long the request may take, in milliseconds. */
  readonly attemptMs: number
  /** The address of the socket, with `http` in place of `ws`. */
  readonly url: string
}

/** Returns the problem with which the service refuses the handshake, or undefined if the failure may be temporary. */
export async function handshakeRefusal(options: HandshakeOptions): Promise<Problem | undefined> {
  const { url, attemptMs } = options
  try {
    // The caller's headers are left out, because the socket does not send them.
    const signal = AbortSignal.timeout(attemptMs)
    const response = await options.fetch(url, { method: 'GET', redirect: 'manual', signal })
    const { status } = response
    const value = parsed(await response.text())
    // The service would have accepted a handshake.
    if (status === 426) return undefined
    if (isProblem(value)) return value.retryable ? undefined : Problem.received(value)
    if (status === 401 || status === 403)
      return new Problem('connection-refused', `The handshake was answered with status ${status}.`)
  } catch {
    // The service cannot be reached, which may be temporary.
  }
  return undefined
}
