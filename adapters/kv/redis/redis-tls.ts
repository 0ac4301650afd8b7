/** Finds out whether a Redis URL and the server at its address disagree about TLS. */
import { tlsMismatch } from '../../tls-mismatch.ts'

/**
 * Explains a failed connect in one phrase, with the correction of the URL. Undefined if TLS is not
 * the reason.
 */
export async function redisTlsMismatch(url: string): Promise<string | undefined> {
  const { protocol, hostname, port } = new URL(url)
  const tls = protocol === 'rediss:'
  const found = await tlsMismatch({
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? 6379 : Number(port),
    tls,
    hello: new TextEncoder().encode('PING\r\n'),
    // A server in plain text answers +PONG or -NOAUTH.
    isPlain: ([first]) => first === 0x2b || first === 0x2d,
  })
  return found === undefined ? undefined : `${found}: write ${tls ? 'redis:' : 'rediss:'}`
}
