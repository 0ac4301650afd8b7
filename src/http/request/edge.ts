/**
 * The edge of the service: the code that every HTTP request passes, whatever its outcome. Each
 * request has an id, each failure is answered with a problem, and no answer may be cached unless
 * its route allows it.
 */
import { newId } from '../../conversation/wire/ids.ts'
import type { Events } from '../../events.ts'
import { Problem, toProblem } from '../../problem.ts'
import { type Access, originRefused } from './access.ts'
import { problemAnswer } from './answer.ts'
import { allowReading, isPreflight, preflightAnswer } from './cors.ts'
import { createRequestLog, type RequestLog, type RequestLogOptions } from './request-log.ts'
import { pathOf, routable } from './request-url.ts'

export const requestIdHeader = 'turnlog-request-id'

const usableId = /^[\x21-\x7e]{1,128}$/

export type Fetch = (request: Request) => Response | Promise<Response>

export type RoutePattern = { readonly method: string; readonly path: string }

export type EdgeOptions = {
  readonly events: Events
  readonly access: Access
  readonly log: RequestLogOptions
  /**
   * A path whose problems pages of any origin may read: that of the live socket. A browser does not
   * show a page why its WebSocket was refused, so the page asks again with a plain GET.
   */
  readonly readableAnywhere: string
}

const readableByPages = { 'access-control-allow-origin': '*' }

/**
 * Edge gives every request its id, every failed one its problem, and every answer the common
 * headers.
 */
export class Edge {
  readonly #events: Events
  readonly #access: Access
  readonly #log: RequestLog
  readonly #readableAnywhere: string
  /** The errors that handlers threw, until `#answer` turns them into problems. */
  readonly #thrown = new WeakMap<Request, unknown>()

  constructor({ events, access, log, readableAnywhere }: EdgeOptions) {
    this.#events = events
    this.#access = access
    this.#log = createRequestLog(events, log)
    this.#readableAnywhere = readableAnywhere
  }

  /** The framework's error hook. It keeps the error until `#answer` turns it into a problem. */
  failed({ request, error }: { request: Request; error: unknown }): Response {
    this.#thrown.set(request, error)
    return new Response(null, { status: 500 })
  }

  /** Puts the edge around `handle`. `routes` is called only for preflights and unknown paths. */
  wrap(handle: Fetch, routes: () => readonly RoutePattern[]): Fetch {
    return (received) => this.#answer(received, handle, routes)
  }

  async #answer(
    received: Request,
    handle: Fetch,
    routes: () => readonly RoutePattern[],
  ): Promise<Response> {
    const startedAt = performance.now()
    const request = routable(received)
    const sentId = request.headers.get(requestIdHeader)
    const requestId = sentId !== null && usableId.test(sentId) ? sentId : newId()
    const isHead = request.method === 'HEAD'
    const routed = isHead ? asGet(request) : request
    let response: Response
    let error: unknown
    try {
      this.#access.admit(request)
      response = isPreflight(request) ? this.#preflight(request, routes()) : await handle(routed)
      if (response.status >= 400) error = this.#thrown.get(routed)
    } catch (caught) {
      error = caught ?? new Error('The handler threw undefined or null.')
      response = new Response(null, { status: 500 })
    }
    if (error !== undefined) response = this.#failure(routed, error, requestId, routes)
    const ms = performance.now() - startedAt
    if (this.#log.isLogged(response.status, ms)) {
      const outcome = { status: response.status, ms, requestId, error }
      this.#log.write(request, pathOf(request), outcome)
    }
    if (isHead) response = await withoutBody(response)
    this.#addHeaders(response, requestId, request.headers.get('origin'))
    return response
  }

  #addHeaders(response: Response, requestId: string, origin: string | null): void {
    const { headers } = response
    headers.set(requestIdHeader, requestId)
    // A cache between service and caller would keep serving erased content.
    if (!headers.has('cache-control')) headers.set('cache-control', 'no-store')
    headers.append('vary', 'Origin')
    if (origin !== null && this.#access.mayRead(origin)) allowReading(response, origin)
  }

  #preflight(request: Request, routes: readonly RoutePattern[]): Response {
    if (this.#access.isForbiddenPage(request)) throw originRefused()
    return preflightAnswer(methodsOf(request, routes))
  }

  #failure(
    request: Request,
    error: unknown,
    requestId: string,
    routes: () => readonly RoutePattern[],
  ): Response {
    if (isNotFound(error)) return answerMiss(request, requestId, routes())
    const problem = toProblem(error)
    logRefusal(this.#events, request, problem)
    const isReadable = pathOf(request) === this.#readableAnywhere
    return problemAnswer(problem, requestId, isReadable ? readableByPages : {})
  }
}

const asGet = ({ url, headers }: Request): Request => new Request(url, { headers })

/**
 * The same status and headers without the body, with the length that the body of a GET would have.
 */
async function withoutBody(response: Response): Promise<Response> {
  const { status, headers } = response
  const length = (await response.arrayBuffer()).byteLength
  headers.set('content-length', String(length))
  return new Response(null, { status, headers })
}

const isNotFound = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'NOT_FOUND'

/**
 * Logs refused hosts and origins, at most three a minute: the operator may have forgotten a
 * setting.
 */
function logRefusal(events: Events, { headers }: Request, { code }: Problem): void {
  if (code === 'host-refused') events.hostRefused(headers.get('host') ?? '')
  if (code === 'origin-refused') events.originRefused(headers.get('origin') ?? 'another site')
}

/** The methods of the routes that match the path, or none for an unknown path. */
function methodsOf(request: Request, routes: readonly RoutePattern[]): string[] {
  const segments = segmentsOf(pathOf(request))
  const methods = routes
    .filter(({ path }) => matches(segmentsOf(path), segments))
    .map(({ method }) => method)
  return [...new Set(methods.includes('GET') ? [...methods, 'HEAD'] : methods)].sort()
}

/** A 405 if the path has routes for other methods, otherwise a 404. */
function answerMiss(
  request: Request,
  requestId: string,
  routes: readonly RoutePattern[],
): Response {
  const methods = methodsOf(request, routes)
  if (methods.length === 0)
    return problemAnswer(
      new Problem('route-not-found', 'No route has this path. /swagger lists every route.'),
      requestId,
    )
  const allow = methods.join(', ')
  const detail = `This path supports ${allow}.`
  return problemAnswer(new Problem('method-not-allowed', detail), requestId, { allow })
}

/** The segments of a path. A slash at its end makes no difference. */
const segmentsOf = (path: string): string[] => path.replace(/^\/|\/$/g, '').split('/')

const matches = (pattern: readonly string[], segments: readonly string[]): boolean =>
  pattern.length === segments.length &&
  pattern.every(
    (part, index) => part === segments[index] || (part.startsWith(':') && segments[index] !== ''),
  )
