/** What is thrown for everything that can go wrong with a request, and what its caller is told. */
import { type ProblemCode, problemRows } from './problem-codes.ts'

export { type ProblemCode, problemCodes } from './problem-codes.ts'
export { problems } from './problem-help.ts'

/** A body full of mistakes is not answered with one as large. */
export const violationsMax = 50

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
export type ToldProblem = Pick<ProblemBody, 'title' | 'status' | 'retryable' | 'requestId'> & {
  readonly code: string
  readonly detail?: string
  readonly errors?: readonly {
    readonly in: string
    readonly pointer: string
    readonly message: string
  }[]
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
      told?: Pick<ProblemBody, 'status' | 'title' | 'retryable' | 'requestId'>
    } = {},
  ) {
    const { status, title, retryable } = options.told ?? problemRows[code]
    super(detail ?? title, options.cause === undefined ? {} : { cause: options.cause })
    this.#row = { status, title, retryable: options.retryable ?? retryable }
    this.code = code
    this.violations = options.violations ?? []
    const waits = status === 503 && this.#row.retryable
    this.retryAfterSeconds = options.retryAfterSeconds ?? (waits ? 1 : undefined)
    this.requestId = options.told?.requestId
  }

  /**
   * What a service told, as it was thrown there. The service may be newer than this table, and the
   * code one that it does not have: status, title and `retryable` are as told.
   */
  static told(body: ToldProblem, retryAfterSeconds?: number): Problem {
    const { detail, errors = [] } = body
    const code = body.code as ProblemCode
    return new Problem(code, detail, {
      violations: errors.map((error) => ({ ...error, code, in: error.in as Violation['in'] })),
      told: body,
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

/**
 * One problem for a list of violations: their common code, else `request-invalid`. A function, so that bundles of the
 * client, which never has a list of them, leave it out.
 */
export function violationProblem(violations: readonly [Violation, ...Violation[]]): Problem {
  const [first] = violations
  const common = violations.every((violation) => violation.code === first.code)
  const place = (violation: Violation) =>
    `${violation.in === 'body' ? '' : `${violation.in} `}${violation.pointer || 'the body'}: ${violation.message}`
  return new Problem(
    common ? first.code : 'request-invalid',
    violations.slice(0, 3).map(place).join('; ') + (violations.length > 3 ? '; …' : ''),
    { violations: violations.slice(0, violationsMax) },
  )
}

/** Anything thrown -> a problem. What is not one of ours is `internal`, and its text stays here. */
export function toProblem(thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown
  return new Problem('internal', 'The service failed; its log has the reason.', { cause: thrown })
}
