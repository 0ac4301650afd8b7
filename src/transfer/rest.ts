/**
 * The REST API over fetch. What can pass is tried again with the same key: connections that were
 * lost, answers that never came, and problems that say so. All requests made here can be repeated.
 */
import { shownUrl, withShownUrl } from '../client/shown-url.ts'
import type { ProblemBody } from '../problem.ts'

export type Answer<T> = { readonly status: number; readonly body: T }

export type Rest = {
  /** Without a slash at its end. */
  readonly url: string
  get<T>(path: string): Promise<T>
  /** The body is empty where the answer is a 204. Fails with `Refused` or `ServiceAway`. */
  send<T>(
    method: 'POST' | 'PUT',
    path: string,
    body: unknown,
    idempotencyKey?: string,
  ): Promise<Answer<T>>
}

export type RestOptions = {
  readonly url: string
  /** How long one request may go on failing before the service counts as away. */
  readonly patienceMs: number
  /** How long one attempt may take. */
  readonly attemptMs?: number
  readonly onRetry?: (reason: string) => void
}

/** The service understood, and said no: the same request will not succeed. */
export class Refused extends Error {
  override readonly name = 'Refused'
  readonly code: string

  constructor(code: string, detail: string) {
    super(detail)
    this.code = code
  }
}

/** The service cannot be reached, or is no Turnlog: nothing more will succeed. */
export class ServiceAway extends Error {
  override readonly name = 'ServiceAway'
}

/** A fault of the service is tried again, and need not be one that passes. */
const faultAttempts = 5

const proxyAnswers = [429, 502, 503, 504]

type Outcome<T> = { answer: Answer<T> } | { reason: string; fault: boolean; waitMs: number }

export function createRest({
  url,
  patienceMs,
  attemptMs = 30_000,
  onRetry = () => {},
}: RestOptions): Rest {
  const base = url.replace(/\/+$/, '')
  const shown = shownUrl(base)

  const attempt = async <T>(path: string, init: RequestInit): Promise<Outcome<T>> => {
    let response: Response
    let text: string
    try {
      response = await fetch(`${base}${path}`, {
        ...init,
        redirect: 'manual',
        signal: AbortSignal.timeout(attemptMs),
      })
      text = await response.text()
    } catch (error) {
      const reason = withShownUrl(error instanceof Error ? error.message : String(error), base)
      return { reason: `${shown} cannot be reached: ${reason}`, fault: false, waitMs: 0 }
    }
    const { status } = response
    const body = parsed(text)
    if (response.ok) {
      if (status === 204) return { answer: { status, body: undefined as T } }
      if (body === undefined) throw new ServiceAway(`${shown}${path} answers what is no JSON`)
      return { answer: { status, body: body as T } }
    }
    const problem = isProblem(body) ? body : undefined
    // Every request made here can be repeated: turns have keys, conversations and segments have ids.
    const isPassing = problem?.retryable === true || problem?.code === 'outcome-unknown'
    if (problem === undefined ? !proxyAnswers.includes(status) && status < 500 : !isPassing)
      throw new Refused(
        problem?.code ?? `http-${status}`,
        problem?.detail ?? `the answer to ${init.method} ${path} was ${status}, and no problem`,
      )
    return {
      reason: problem?.detail ?? `${shown} answers ${status}`,
      fault: problem === undefined ? !proxyAnswers.includes(status) : problem.code === 'internal',
      waitMs: retryAfterMs(response.headers.get('retry-after')),
    }
  }

  const request = async <T>(path: string, init: RequestInit): Promise<Answer<T>> => {
    const begun = performance.now()
    for (let attempts = 1; ; attempts += 1) {
      const outcome = await attempt<T>(path, init)
      if ('answer' in outcome) return outcome.answer
      const { reason, fault, waitMs } = outcome
      if (fault && attempts >= faultAttempts) throw new Refused('internal', reason)
      const pause = Math.max(waitMs, backoffMs(attempts))
      if (performance.now() - begun + pause > patienceMs) throw new ServiceAway(reason)
      onRetry(reason)
      await new Promise((resolve) => setTimeout(resolve, pause))
    }
  }

  return {
    url: base,
    get: async <T>(path: string) => (await request<T>(path, { method: 'GET' })).body,
    send: (method, path, body, idempotencyKey) =>
      request(path, {
        method,
        body: JSON.stringify(body),
        headers: {
          'content-type': 'application/json',
          ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
        },
      }),
  }
}

/** Doubles up to 5 s, and differs between callers, so that they do not all come back at once. */
const backoffMs = (attempts: number): number =>
  Math.min(5000, 50 * 2 ** attempts) * (0.5 + Math.random() / 2)

function retryAfterMs(header: string | null): number {
  if (header === null) return 0
  const seconds = Number(header)
  const ms = Number.isNaN(seconds) ? Date.parse(header) - Date.now() : seconds * 1000
  return Number.isNaN(ms) ? 0 : Math.max(0, ms)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const isProblem = (body: unknown): body is ProblemBody =>
  typeof body === 'object' &&
  body !== null &&
  'code' in body &&
  'detail' in body &&
  'retryable' in body
