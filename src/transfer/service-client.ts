/**
 * The client through which imports and exports reach the service. Every request of theirs can be
 * repeated, because turns have idempotency keys, and conversations and segments have ids.
 */
import { type CallOptions, createClient, Problem, type TurnlogClient } from '../client/client.ts'
import { shownUrl, withShownUrl } from '../client/shown-url.ts'

export type ServiceOptions = {
  readonly url: string
  /**
   * Milliseconds for which a failing request is retried. After them the service counts as
   * unreachable.
   */
  readonly patienceMs: number
  /** Called with the reason before each retry. */
  readonly onRetry?: (reason: string) => void
  /** @default the runtime's `fetch` */
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>
}

/** Milliseconds that one attempt may take. */
const attemptMs = 30_000

/**
 * Milliseconds between attempts. They are short, so that requests succeed soon after a restart of
 * the service.
 */
const backoff = { firstMs: 100, maxMs: 5000 }

/** Makes the client of an import or export. Requests that fail are retried for `patienceMs`. */
export function connect({
  url,
  patienceMs,
  onRetry = () => {},
  fetch,
}: ServiceOptions): TurnlogClient {
  return createClient({
    url,
    attemptMs,
    backoff,
    retryForMs: patienceMs,
    // The deadline is late enough for the last attempt to take its full time.
    deadlineMs: patienceMs + attemptMs + 1000,
    onRetry: ({ problem }) => onRetry(failedAttempt(problem, url)),
    ...(fetch === undefined ? {} : { fetch }),
  })
}

/** The detail that the service answered, or the reason why it cannot be reached. */
function failedAttempt({ message, cause }: Problem, url: string): string {
  if (!(cause instanceof Error)) return message
  return `${shownUrl(url)} cannot be reached: ${withShownUrl(cause.message, url)}`
}

/** Why the service refuses a request. */
export type Refusal = {
  /** The code of the problem, or `http-<status>` if a proxy refused the request. */
  readonly code: string
  readonly message: string
}

/**
 * Returns the refusal of one request, after which other requests may succeed. Returns undefined for
 * an error that is not a problem, and if no request can succeed: the service cannot be reached, or
 * another program answers.
 */
export function refusalOf(error: unknown): Refusal | undefined {
  if (!(error instanceof Problem)) return undefined
  const { code, status, message, retryable } = settled(error)
  // An internal error of the service may be permanent. The client has retried it several times.
  if (code === 'internal') return { code, message }
  if (retryable || code === 'outcome-unknown') return undefined
  if (code !== 'answer-unusable') return { code, message }
  return status < 300 ? undefined : { code: `http-${status}`, message }
}

/** The line that is printed when a problem ends an import or export. */
export function failureText(problem: Problem): string {
  const { code, message } = settled(problem)
  return code === 'answer-unusable'
    ? `${message} The answer is not JSON: check that --url names a Turnlog service.`
    : message
}

/**
 * Returns the failure of the last attempt. The client wraps it if a write may have been carried
 * out.
 */
const settled = (problem: Problem): Problem =>
  problem.code === 'outcome-unknown' && problem.cause instanceof Problem ? problem.cause : problem

/**
 * Runs a write. `isNew` is true if the service created the thing (201), false if it existed before
 * (200).
 */
export async function withNovelty<Result>(
  write: (options: CallOptions) => Promise<Result>,
): Promise<{ readonly result: Result; readonly isNew: boolean }> {
  let isNew = false
  const result = await write({
    onStatus: (status) => {
      isNew = status === 201
    },
  })
  return { result, isNew }
}
