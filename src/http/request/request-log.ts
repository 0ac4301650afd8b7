/** The log lines of requests: failed ones, slow ones, and all of them if `log.requests` is on. */
import type { AnsweredRequest, Events } from '../../events.ts'
import { Problem, toProblem } from '../../problem.ts'

export type RequestLogOptions = {
  /** A request that takes more milliseconds is logged as slow. 0 logs none. */
  readonly slowRequestMs: number
  /** Whether every request is logged. */
  readonly requests: boolean
}

export type Outcome = {
  readonly status: number
  readonly ms: number
  readonly requestId: string
  /** The error, if the answer is a problem. */
  readonly error: unknown
}

export type RequestLog = {
  /**
   * Whether the request has a line in the log. It is called for every request, so it must stay
   * cheap.
   */
  isLogged(status: number, ms: number): boolean
  /**
   * Logs an answered request. `path` has no query, which may contain text that must not be logged.
   */
  write(request: Request, path: string, outcome: Outcome): void
}

const conversation = /^\/v1\/conversations\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?=\/|$)/i

/** The maximum length of a logged route, in characters. */
const routeMax = 200

/** Makes the request log from the settings `server.slowRequestMs` and `log.requests`. */
export function createRequestLog(events: Events, options: RequestLogOptions): RequestLog {
  const { requests } = options
  const slowMs = options.slowRequestMs || Number.POSITIVE_INFINITY

  return {
    isLogged: (status, ms) => requests || status >= 400 || ms > slowMs,

    write({ method, headers }, path, { status, ms, requestId, error }) {
      const answered: AnsweredRequest = {
        route: `${method} ${path.slice(0, routeMax)}`,
        ms: Math.round(ms * 10) / 10,
        requestId,
        conversationId: conversation.exec(path)?.[1]?.toLowerCase(),
      }
      if (requests) {
        const length = headers.get('content-length')
        const bytes = length === null ? undefined : Number(length)
        events.request({ ...answered, status, bytes })
      }
      if (status >= 500) logFailure(events, answered, status, error)
      else {
        if (status >= 400 && error instanceof Problem)
          events.requestRefused({ ...answered, status, code: error.code })
        if (ms > slowMs) events.requestSlow({ ...answered, status })
      }
    },
  }
}

/** Logs a 5xx. The only one without an error is the report of `/readyz`. */
function logFailure(
  events: Events,
  answered: AnsweredRequest,
  status: number,
  error: unknown,
): void {
  if (error === undefined) {
    events.requestUnserved({ ...answered, status, code: 'not-ready', cause: undefined })
    return
  }
  const { code, cause } = toProblem(error)
  if (code === 'internal')
    events.requestFailed({ ...answered, status, code, cause: cause ?? error })
  else events.requestUnserved({ ...answered, status, code, cause })
}
