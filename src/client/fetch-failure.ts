/** What a `fetch` that rejected proves about its request: each runtime says it in its own way. */

/**
 * `never`: no connection was made, so nothing was sent. `impossible`: nothing was sent, and no attempt
 * will do better. `perhaps`: it may have been carried out; also where the runtime does not tell.
 */
export type Sending = 'never' | 'impossible' | 'perhaps'

/**
 * Codes of Bun, older versions of Bun, Node and undici that are given only where there is no connection yet.
 * A certificate is judged before anything is sent.
 */
const unconnected =
  /^(ECONNREFUSED|ENOTFOUND|EAI_|ConnectionRefused$|FailedToOpenSocket$|UND_ERR_CONNECT_TIMEOUT|ERR_SSL_WRONG_VERSION|CERT_|ERR_TLS_CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH|INVALID_CA)/
/** Bun gives EPROTO for a handshake alone; elsewhere it is also met later. */
const handshake = /TLS handshake failed/i
/** Of Deno, which gives no codes. */
const denoConnect = /client error \(Connect\)/
const blockedPort = /^bad port$|Requests to port \d+ are blocked/

/** The request is none: its URL or a header has the wrong form. */
class Unmakeable extends Error {}

/** The runtime's own `fetch`, which does not say whether the request itself is at fault. */
export async function runtimeFetch(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init)
  } catch (cause) {
    if (isMakeable(url, init)) throw cause
    throw new Unmakeable(cause instanceof Error ? cause.message : String(cause), { cause })
  }
}

/**
 * `mayBePooled`: the runtime may have kept a connection of an earlier call. Deno sends again by itself what was
 * lost on such a one, and tells only that it could not connect the second time.
 */
export function sendingOf(thrown: unknown, mayBePooled: boolean): Sending {
  const links = chainOf(thrown)
  if (links.some((link) => link instanceof Unmakeable || blockedPort.test(link.message)))
    return 'impossible'
  if (links.some(isUnconnected)) return 'never'
  const isDenoConnect = links.some(({ message }) => denoConnect.test(message))
  return isDenoConnect && !mayBePooled ? 'never' : 'perhaps'
}

function isUnconnected(error: Error): boolean {
  const { code, syscall } = error as { code?: unknown; syscall?: unknown }
  if (typeof code !== 'string') return false
  const isHandshake = code === 'EPROTO' && handshake.test(error.message)
  return isHandshake || syscall === 'connect' || unconnected.test(code)
}

/** What the innermost error says: "fetch failed" alone tells nobody why. */
export const reasonOf = (thrown: unknown): string =>
  (chainOf(thrown).at(-1)?.message ?? String(thrown)).trim()

/** The error and its causes. */
function chainOf(thrown: unknown): readonly Error[] {
  const links: Error[] = []
  for (let at = thrown; at instanceof Error && links.length < 5; at = at.cause) links.push(at)
  return links
}

function isMakeable(url: string, init: RequestInit): boolean {
  try {
    return new Request(url, init) instanceof Request
  } catch {
    return false
  }
}
