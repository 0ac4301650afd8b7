/** Problem, the error of every failed request. The service and its client share it. */
import { clientTitles, type ProblemCode, problemRows } from './problem-codes.ts'

export type { ProblemCode } from './problem-codes.ts'

/** One field of a request that breaks a rule. */
export type Violation = {
  readonly code: ProblemCode
  /** JSON Pointer (RFC 6901) into the part named by `in`. */
  readonly pointer: string
  readonly in: 'body' | 'query' | 'path' | 'header'
  readonly message: string
}

/** RFC 9457 problem details, as REST bodies and socket frames carry them. */
export type ProblemBody = {
  type: string
  code: ProblemCode
  title: string
  status: number
  detail: string
  errors?: { in: Violation['in']; pointer: string; message: string }[]
  requestId?: string
  retryable: boolean
}

/** A problem as the client received it, in a REST body or a frame. */
export type ReceivedProblem = Pick<ProblemBody, 'title' | 'status' | 'retryable' | 'requestId'> & {
  readonly code: string
  readonly detail?: string
  readonly errors?: readonly {
    readonly in: string
    readonly pointer: string
    readonly message: string
  }[]
}

let titles: Readonly<Partial<Record<ProblemCode, string>>> = clientTitles

/**
 * Gives every code its title. Only the service calls it, so bundles of the client leave its table
 * out.
 */
export function useTitles(table: Readonly<Record<ProblemCode, string>>): void {
  titles = table
}

/** Problem is thrown for every request that fails. It becomes a REST body or a frame by `body`. */
export class Problem extends Error {
  override readonly name = 'Problem'
  readonly code: ProblemCode
  readonly violations: readonly Violation[]
  /** Whole seconds for the `Retry-After` header. Only retryable problems have them. */
  readonly retryAfterSeconds: number | undefined
  /**
   * The id of the failed request, if a service sent the problem: the service's log has more under
   * this id.
   */
  readonly requestId: string | undefined
  /** The row of the code; for a problem that a service sent, the values that it sent. */
  readonly #row: Pick<ProblemBody, 'status' | 'title' | 'retryable'>

  /** @param detail one sentence about this request, by default the title of the code */
  constructor(
    code: ProblemCode,
    detail?: string,
    options: {
      violations?: readonly Violation[]
      retryAfterSeconds?: number
      cause?: unknown
      /** Overrides the code's row, if retrying is safe for some requests and not for others. */
      retryable?: boolean
      received?: Pick<ProblemBody, 'status' | 'title' | 'retryable' | 'requestId'>
    } = {},
  ) {
    const { status, retryable } = options.received ?? problemRows[code]
    const title = options.received?.title ?? titles[code] ?? code
    super(detail ?? title, options.cause === undefined ? {} : { cause: options.cause })
    this.#row = { status, title, retryable: options.retryable ?? retryable }
    this.code = code
    this.violations = options.violations ?? []
    const waits = status === 503 && this.#row.retryable
    this.retryAfterSeconds = options.retryAfterSeconds ?? (waits ? 1 : undefined)
    this.requestId = options.received?.requestId
  }

  /**
   * The problem that a service sent. The service may be newer than this table and send a code that
   * the table does not have: status, title and `retryable` are those that it sent.
   * @param retryAfterSeconds the value of the `Retry-After` header, if there was one
   */
  static received(body: ReceivedProblem, retryAfterSeconds?: number): Problem {
    const { detail, errors = [] } = body
    const code = body.code as ProblemCode
    return new Problem(code, detail, {
      violations: errors.map((error) => ({ ...error, code, in: error.in as Violation['in'] })),
      received: body,
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    })
  }

  get status(): number {
    return this.#row.status
  }

  /** One short line, the same for every problem of the code. */
  get title(): string {
    return this.#row.title
  }

  /** Whether the very same request can succeed later. */
  get retryable(): boolean {
    return this.#row.retryable
  }

  /** The problem details to send, with the id of the request. */
  body(requestId = this.requestId): ProblemBody {
    const { status, title, retryable } = this.#row
    const errors = this.violations.map(({ in: where, pointer, message }) => ({
      in: where,
      pointer,
      message,
    }))
    return {
      type: `/problems/${this.code}`,
      code: this.code,
      title,
      status,
      detail: this.message,
      ...(errors.length > 0 ? { errors } : {}),
      ...(requestId === undefined ? {} : { requestId }),
      retryable,
    }
  }
}
