/** Decides whether a request whose `fetch` rejected may have been sent. Each runtime has its own errors for that. */

/**
 * Whether a request was sent.
 *
 * - `never`: no connection was made, so nothing was sent.
 * - `impossible`: nothing was sent, and a further attempt would fail the same way.
 * - `perhaps`: it may have been sent, or the runtime does not say.
 */
export type Sending = 'never' | 'impossible' | 'perhaps'

/**
 * Error codes of Bun, older versions of Bun, Node and undici that occur only before a connection exists. Certificate
 * errors are among them, because a runtime checks the certificate before it sends the request.
 */
const unconnected =
  /^(ECONNREFUSED|ENOTFOUND|EAI_|ConnectionRefused$|FailedToOpenSocket$|UND_ERR_CONNECT_TIMEOUT|ERR_SSL_WRONG_VERSION|CERT_|ERR_TLS_CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH|INVALID_CA)/
/** Node also uses EPROTO for failures after the TLS handshake, so the message must name the handshake. */
const handshake = /TLS handshake failed/i
/** Deno has no error codes, only this message. */
const denoConnect = /client error \(Connect\)/
const blockedPort = /^bad port$|Requests to port \d+ are blocked/

/** The error of arguments that make no request: the URL or a header has the wrong form. */
class InvalidRequest extends Error {}

/** The runtime's own `fetch`. It throws an `InvalidRequest` if its arguments are at fault. */
export async function runtimeFetch(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init)
  } catch (cause) {
    if (isValidRequest(url, init)) throw cause
    throw new InvalidRequest(cause instanceof Error ? cause.message : String(cause), { cause })
  }
}

/**
 * Whether the request of a failed `fetch` was sent. `mayBePooled`: the runtime may have reused the connection of an
 * earlier call. When such a connection is lost, Deno sends the request again by itself, and reports only that the
 * second connection failed.
 */
export function sendingOf(thrown: unknown, mayBePooled: boolean): Sending {
  const errors = chainOf(thrown)
  if (errors.some((error) => error instanceof InvalidRequest || blockedPort.test(error.message)))
    return 'impossible'
  if (errors.some(isUnconnected)) return 'never'
  const isDenoConnect = errors.some(({ message }) => denoConnect.test(message))
  return isDenoConnect && !mayBePooled ? 'never' : 'perhaps'
}

function isUnconnected(error: Error): boolean {
  const { code, syscall } = error as { code?: unknown; syscall?: unknown }
  if (typeof code !== 'string') return false
  const isHandshake = code === 'EPROTO' && handshake.test(error.message)
  return isHandshake || syscall === 'connect' || unconnected.test(code)
}

/** The message of the innermost cause, because the outer "fetch failed" does not give the reason. */
export const reasonOf = (thrown: unknown): string =>
  (chainOf(thrown).at(-1)?.message ?? String(thrown)).trim()

/** The error and its causes, at most 5. */
function chainOf(thrown: unknown): readonly Error[] {
  const errors: Error[] = []
  for (let at = thrown; at instanceof Error && errors.length < 5; at = at.cause) errors.push(at)
  return errors
}

function isValidRequest(url: string, init: RequestInit): boolean {
  try {
    return new Request(url, init) instanceof Request
  } catch {
    return false
  }
}
