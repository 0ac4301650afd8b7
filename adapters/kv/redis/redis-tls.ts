/** Whether a Redis URL and the server at its address agree about TLS. */
import { tlsMismatch } from '../../tls-mismatch.ts'

/** One sentence with what to write instead; undefined where TLS is not the reason of a failure. */
export async function redisTlsMismatch(url: string): Promise<string | undefined> {
  const { protocol, hostname, port } = new URL(url)
  const tls = protocol === 'rediss:'
  const found = await tlsMismatch({
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? 6379 : Number(port),
    tls,
    hello: new TextEncoder().encode('PING\r\n'),
    // +PONG, or -NOAUTH.
    isPlain: ([first]) => first === 0x2b || first === 0x2d,
  })
  return found === undefined ? undefined : `${found}: write ${tls ? 'redis:' : 'rediss:'}`
}
