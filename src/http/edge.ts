/**
 * The edge of the service: what is true of every request, whatever becomes of it. A request has an
 * id, what fails is answered with a problem, and no answer is kept by a cache unless it says so.
 */
import { newId } from '../conversation/wire/ids.ts'
import type { Events } from '../events.ts'
import { Problem, toProblem } from '../problem.ts'
import { type Access, originRefused } from './request/access.ts'
import { problemAnswer } from './request/answer.ts'
import { isPreflight, preflightAnswer, share } from './request/cors.ts'
import { createRequestLog, type RequestLogOptions } from './request/request-log.ts'
import { pathOf, routable } from './request/request-url.ts'
import { livePath } from './routes/live-socket.ts'

export const requestIdHeader = 'turnlog-request-id'

const usableId = /^[\x21-\x7e]{1,128}$/

export type Fetch = (request: Request) => Response | Promise<Response>

export type Route = { readonly method: string; readonly path: string }

export type Edge = {
  /** For the framework's error hook: keeps what was thrown until `around` answers it. */
  failed(context: { request: Request; error: unknown }): Response
  around(handle: Fetch, routes: () => readonly Route[]): Fetch
}

/** A page whose socket is refused may learn why: there is nothing else to read at that path. */
const readableByPages = { 'access-control-allow-origin': '*' }

export function createEdge(events: Events, access: Access, logging: RequestLogOptions): Edge {
  const thrown = new WeakMap<Request, unknown>()
  const log = createRequestLog(events, logging)

  const answerFailure = (
    request: Request,
    error: unknown,
    requestId: string,
    routes: readonly Route[],
  ): Response => {
    if (isNotFound(error)) return answerMiss(request, requestId, routes)
    const problem = toProblem(error)
    logRefusal(events, request, problem)
    return problemAnswer(problem, requestId, pathOf(request) === livePath ? readableByPages : {})
  }

  return {
    failed({ request, error }) {
      thrown.set(request, error)
      return new Response(null, { status: 500 })
    },
    around(handle, routes) {
      const failure = (request: Request, error: unknown, requestId: string) =>
        answerFailure(request, error, requestId, routes())
      const preflight = (request: Request) => {
        if (access.isForeign(request)) throw originRefused()
        return preflightAnswer(methodsOf(request, routes()))
      }
      return async (received) => {
        const startedAt = performance.now()
        const request = routable(received)
        const sent = request.headers.get(requestIdHeader)
        const requestId = sent !== null && usableId.test(sent) ? sent : newId()
        const isHead = request.method === 'HEAD'
        const asked = isHead ? asGet(request) : request
        let response: Response
        let error: unknown
        try {
          access.admit(request)
          response = isPreflight(request) ? preflight(request) : await handle(asked)
          if (response.status >= 400) error = thrown.get(asked)
        } catch (caught) {
          error = caught ?? new Error('Nothing was thrown.')
          response = new Response(null, { status: 500 })
        }
        if (error !== undefined) response = failure(asked, error, requestId)
        const ms = performance.now() - startedAt
        if (log.wants(response.status, ms))
          log.answered(request, pathOf(request), { status: response.status, ms, requestId, error })
        if (isHead) response = await withoutBody(response)
        const { headers } = response
        headers.set(requestIdHeader, requestId)
        // A cache between would go on serving what was erased.
        if (!headers.has('cache-control')) headers.set('cache-control', 'no-store')
        headers.append('vary', 'Origin')
        const origin = request.headers.get('origin')
        if (origin !== null && access.isShared(origin)) share(response, origin)
        return response
      }
    },
  }
}

const asGet = ({ url, headers }: Request): Request => new Request(url, { headers })

/** The headers of the answer to a GET. */
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

/** The methods that the path takes; empty for an unknown path. */
function methodsOf(request: Request, routes: readonly Route[]): string[] {
  const segments = segmentsOf(pathOf(request))
  const methods = routes
    .filter(({ path }) => matches(segmentsOf(path), segments))
    .map(({ method }) => method)
  return [...new Set(methods.includes('GET') ? [...methods, 'HEAD'] : methods)].sort()
}

/** A 405 where another method would have been met, else a 404. */
function answerMiss(request: Request, requestId: string, routes: readonly Route[]): Response {
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

/** A slash at the end makes no difference. */
const segmentsOf = (path: string): string[] => path.replace(/^\/|\/$/g, '').split('/')

const matches = (pattern: readonly string[], segments: readonly string[]): boolean =>
  pattern.length === segments.length &&
  pattern.every(
    (part, index) => part === segments[index] || (part.startsWith(':') && segments[index] !== ''),
  )
