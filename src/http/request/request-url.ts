/** The URL of a request, in the one form that the router and this code cut the path from. */

/**
 * The same request with a URL that begins with `http://` and an authority. Bun gives a request without
 * a usable `Host` its bare path as URL, and the router cuts a URL at the first slash after `http://`:
 * of a bare path, or of `https://`, it would route something else than was asked for.
 */
export function routable(request: Request): Request {
  const { url } = request
  if (url.startsWith('http://')) return request
  if (url.startsWith('/')) return new Request(`http://localhost${url}`, request)
  return url.startsWith('https://') ? new Request(`http${url.slice(5)}`, request) : request
}

/** As it was sent, which is what the router compares. */
export function pathOf({ url }: Request): string {
  const start = url.indexOf('/', url.indexOf('://') + 3)
  const end = url.indexOf('?', start)
  return url.slice(start, end === -1 ? undefined : end)
}
