/** Finds out whether a database URL and the server at its address disagree about TLS. */
import { tlsMismatch } from '../tls-mismatch.ts'

/** Postgres' SSLRequest message: a length of 8 and the code 80877103. */
const sslRequest = Uint8Array.of(0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f)

/**
 * Explains a failed connect in one phrase, with the correction of the URL. Undefined if TLS is not
 * the reason, or if the URL names several servers.
 */
export async function postgresTlsMismatch(url: string): Promise<string | undefined> {
  const pattern = /^[^/]+\/\/(?:[^/?]*@)?(?:\[([^\]]+)\]|([^:/?,]*))(?::(\d+))?(?:\/[^?]*)?(\?.*)?$/
  const [, literal, name, port = '5432', query = ''] = pattern.exec(url) ?? []
  const host = literal ?? name
  if (host === undefined) return undefined
  const [, mode = 'disable'] = /[?&](?:sslmode|ssl)=([^&]*)/.exec(query) ?? []
  // With these modes, the connection continues without TLS if the server offers none.
  const tls = !['disable', 'prefer', 'false'].includes(mode)
  const found = await tlsMismatch({
    host: host === '' ? 'localhost' : host,
    port: Number(port),
    tls,
    hello: sslRequest,
    isPlain: ([first]) => first === 0x4e,
  })
  if (found === undefined) return undefined
  return tls
    ? `${found} (sslmode=${mode}): turn ssl on at the server, or leave sslmode out`
    : `${found}: write ?sslmode=require, and name the port of Postgres itself`
}
