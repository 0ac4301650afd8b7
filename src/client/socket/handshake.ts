/**
 * Why a handshake failed: a WebSocket does not tell. Its address is asked with `fetch`, which is answered
 * as the handshake is, but for the last step.
 */
import { Problem } from '../../problem-error.ts'
import { isProblem, parsed } from '../wire/problem-json.ts'

export type HandshakeOptions = {
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>
  /** How long the question may take, milliseconds. */
  readonly attemptMs: number
  /** Of the socket, with `http`. */
  readonly url: string
}

/** Answers the refusal; undefined where nothing is known that would not pass. */
export async function handshakeRefusal(options: HandshakeOptions): Promise<Problem | undefined> {
  const { url, attemptMs } = options
  try {
    // Without the caller's headers, for the socket has none.
    const signal = AbortSignal.timeout(attemptMs)
    const response = await options.fetch(url, { method: 'GET', redirect: 'manual', signal })
    const { status } = response
    const value = parsed(await response.text())
    // It would have been a socket.
    if (status === 426) return undefined
    if (isProblem(value)) return value.retryable ? undefined : Problem.received(value)
    if (status === 401 || status === 403)
      return new Problem('connection-refused', `The handshake is answered with ${status}.`)
  } catch {
    // Out of reach, which passes.
  }
  return undefined
}
