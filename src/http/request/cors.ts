/**
 * The headers that let web pages of allowed origins read answers (CORS). Credentials are never
 * allowed, because the service has no cookies.
 */

const join = (names: readonly string[]) => names.join(', ')

/** Request headers that pages may send (Access-Control-Allow-Headers). */
const requestHeaders = [
  'authorization',
  'content-type',
  'idempotency-key',
  'if-match',
  'traceparent',
  'tracestate',
  'turnlog-request-id',
]

/** Response headers that scripts may read (Access-Control-Expose-Headers). */
const answerHeaders = [
  'allow',
  'etag',
  'location',
  'ratelimit',
  'retry-after',
  'turnlog-request-id',
  'turnlog-source',
  'turnlog-version',
]

/** Seconds for which a browser may cache a preflight: the maximum of Chromium. */
const maxAge = '7200'

/** Whether the request is a CORS preflight. */
export const isPreflight = ({ method, headers }: Request): boolean =>
  method === 'OPTIONS' && headers.has('origin') && headers.has('access-control-request-method')

/**
 * The answer to a preflight. An unknown path allows every method, so that the page can read its
 * 404.
 */
export function preflightAnswer(methods: readonly string[]): Response {
  const allowed = methods.length > 0 ? methods : ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']
  return new Response(null, {
    status: 204,
    headers: {
      'access-control-allow-methods': join(allowed),
      'access-control-allow-headers': join(requestHeaders),
      'access-control-max-age': maxAge,
    },
  })
}

const exposed = join(answerHeaders)

/** Lets pages of this origin read the response. */
export function allowReading({ headers }: Response, origin: string): void {
  headers.set('access-control-allow-origin', origin)
  headers.set('access-control-expose-headers', exposed)
}
