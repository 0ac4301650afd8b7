/**
 * The edge of the service: what is true of every request, whatever its outcome. A request has an id, a
 * failure is answered with a problem, and no answer may be cached unless it says so.
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
  /** A path whose problems a page of any origin may read: a page cannot read why its socket was refused. */
  readonly readableAnywhere: string
}

const readableByPages = { 'access-control-allow-origin': '*' }

/** Edge gives every request its id, its problem where it fails, and the headers that all answers have. */
export class Edge {
  readonly #events: Events
  readonly #access: Access
  readonly #log: RequestLog
  readonly #readableAnywhere: string
  /** What handlers threw, until `around` answers it. */
  readonly #thrown = new WeakMap<Request, unknown>()

  constructor({ events, access, log, readableAnywhere }: EdgeOptions) {
    this.#events = events
    this.#access = access
    this.#log = createRequestLog(events, log)
    this.#readableAnywhere = readableAnywhere
  }

  /** For the framework's error hook: keeps what was thrown until `around` answers it. */
  failed({ request, error }: { request: Request; error: unknown }): Response {
    this.#thrown.set(request, error)
    return new Response(null, { status: 500 })
  }

  /** `handle` with the edge around it. `routes` are read only for preflights and unknown paths. */
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
      error = caught ?? new Error('Nothing was thrown.')
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
    // A cache on the way would keep serving what was erased.
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

/** The same status and headers, with the length of the body that a GET would answer. */
async function withoutBody(response: Response): Promise<Response> {
  const { status, headers } = response
  const length = (await response.arrayBuffer()).byteLength
  headers.set('content-length', String(length))
  return new Response(null, { status, headers })
}

const isNotFound = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'NOT_FOUND'

/** Logs refused hosts and origins, three a minute at most: the operator may have forgotten a setting. */
function logRefusal(events: Events, { headers }: Request, { code }: Problem): void {
  if (code === 'host-refused') events.hostRefused(headers.get('host') ?? '')
  if (code === 'origin-refused') events.originRefused(headers.get('origin') ?? 'another site')
}

/** The methods of the routes that match the path; empty for an unknown path. */
function methodsOf(request: Request, routes: readonly RoutePattern[]): string[] {
  const segments = segmentsOf(pathOf(request))
  const methods = routes
    .filter(({ path }) => matches(segmentsOf(path), segments))
    .map(({ method }) => method)
  return [...new Set(methods.includes('GET') ? [...methods, 'HEAD'] : methods)].sort()
}

/** A 405 where the path has routes of other methods, else a 404. */
function answerMiss(
  request: Request,
  requestId: string,
  routes: readonly RoutePattern[],
): Response {
  const methods = methodsOf(request, routes)
  if (methods.length === 0)
    return problemAnswer(
      new Problem('route-not-found', 'No route has this path; /swagger shows those there are.'),
      requestId,
    )
  const allow = methods.join(', ')
  return problemAnswer(new Problem('method-not-allowed', `This path takes ${allow}.`), requestId, {
    allow,
  })
}

/** The segments of a path; a slash at its end makes no difference. */
const segmentsOf = (path: string): string[] => path.replace(/^\/|\/$/g, '').split('/')

const matches = (pattern: readonly string[], segments: readonly string[]): boolean =>
  pattern.length === segments.length &&
  pattern.every(
    (part, index) => part === segments[index] || (part.startsWith(':') && segments[index] !== ''),
  )
