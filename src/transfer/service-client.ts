/**
 * The client that a transfer reaches the service with, and what its problems mean to a transfer. Every
 * request of a transfer can be repeated: turns have keys, conversations and segments have ids.
 */
import { type CallOptions, createClient, Problem, type TurnlogClient } from '../client/client.ts'
import { shownUrl, withShownUrl } from '../client/shown-url.ts'

export type ServiceOptions = {
  readonly url: string
  /** How long a request that fails is tried again before the service counts as away, milliseconds. */
  readonly patienceMs: number
  /** Called with the reason before each wait for another attempt. */
  readonly onRetry?: (reason: string) => void
  /** @default the runtime's `fetch` */
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>
}

/** How long one attempt may take, milliseconds. */
const attemptMs = 30_000

/** Milliseconds: many requests may wait for one restart, and come back soon after it. */
const backoff = { firstMs: 100, maxMs: 5000 }

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
    // Late enough that the last attempt has its whole time.
    deadlineMs: patienceMs + attemptMs + 1000,
    onRetry: ({ problem }) => onRetry(failedAttempt(problem, url)),
    ...(fetch === undefined ? {} : { fetch }),
  })
}

/** The service's detail, or why it cannot be reached. */
function failedAttempt({ message, cause }: Problem, url: string): string {
  if (!(cause instanceof Error)) return message
  return `${shownUrl(url)} cannot be reached: ${withShownUrl(cause.message, url)}`
}

/** Why the service refuses a request. */
export type Refusal = {
  /** The code of the problem; `http-<status>` where a proxy refuses it. */
  readonly code: string
  readonly message: string
}

/**
 * The refusal of one request, after which others may succeed. Undefined where the service is away, or is
 * no Turnlog, so that none will, and for errors that are no problems.
 */
export function refusalOf(error: unknown): Refusal | undefined {
  if (!(error instanceof Problem)) return undefined
  const { code, status, message, retryable } = settled(error)
  // A fault of the service need not pass; the client has tried it several times.
  if (code === 'internal') return { code, message }
  if (retryable || code === 'outcome-unknown') return undefined
  if (code !== 'answer-unusable') return { code, message }
  return status < 300 ? undefined : { code: `http-${status}`, message }
}

/** One line for a transfer that a problem ends. */
export function failureText(problem: Problem): string {
  const { code, message } = settled(problem)
  const isStranger = code === 'answer-unusable'
  return isStranger ? `${message} It is no JSON: does --url name a Turnlog service?` : message
}

/** The failure of the last attempt: the client wraps it where a write may have been carried out. */
const settled = (problem: Problem): Problem =>
  problem.code === 'outcome-unknown' && problem.cause instanceof Problem ? problem.cause : problem

/** The result of a write, and whether the service made it now (201) or had it before (200). */
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
