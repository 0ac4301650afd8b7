/** The URL of a request, in the one form that the router and `pathOf` can cut the path from. */

/**
 * The same request with a URL that begins with `http://` and a host. Bun gives a request without a
 * usable `Host` its bare path as URL, and the router cuts a URL at the first slash after `http://`.
 * For a bare path or for `https://`, the router would choose another path than the one requested.
 */
export function routable(request: Request): Request {
  const { url } = request
  if (url.startsWith('http://')) return request
  if (url.startsWith('/')) return new Request(`http://localhost${url}`, request)
  return url.startsWith('https://') ? new Request(`http${url.slice(5)}`, request) : request
}

/** The path as it was sent, without decoding: the router compares it in this form. */
export function pathOf({ url }: Request): string {
  const start = url.indexOf('/', url.indexOf('://') + 3)
  const end = url.indexOf('?', start)
  return url.slice(start, end === -1 ? undefined : end)
}
