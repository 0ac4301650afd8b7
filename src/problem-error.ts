/** Problem, the error of everything that can go wrong with a request: what the service and its client share. */
import { clientTitles, type ProblemCode, problemRows } from './problem-codes.ts'

export type { ProblemCode } from './problem-codes.ts'

/** One place in a request that breaks a rule. */
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

/** What tells of a problem: a REST body, or a frame. */
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

/** Gives every code its title: done by the service, whose table of titles no bundle of the client needs. */
export function useTitles(table: Readonly<Record<ProblemCode, string>>): void {
  titles = table
}

/** What is thrown for everything that can go wrong with a request. */
export class Problem extends Error {
  override readonly name = 'Problem'
  readonly code: ProblemCode
  readonly violations: readonly Violation[]
  /** Whole seconds for `Retry-After`; only for retryable problems. */
  readonly retryAfterSeconds: number | undefined
  /** The request it was told of, where a service told it: its log has more under this id. */
  readonly requestId: string | undefined
  /** The code's row; of a problem that was told, what was told. */
  readonly #row: Pick<ProblemBody, 'status' | 'title' | 'retryable'>

  constructor(
    code: ProblemCode,
    detail?: string,
    options: {
      violations?: readonly Violation[]
      retryAfterSeconds?: number
      cause?: unknown
      /** Where that depends on the request, and not on the code alone. */
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
   * What a service told, as it was thrown there. The service may be newer than this table, and the
   * code one that it does not have: status, title and `retryable` are as told.
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
