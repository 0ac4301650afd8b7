/**
 * Parameters of requests: path, query and headers. One declaration reads a parameter and describes
 * it in the OpenAPI document.
 */
import { type ProblemCode, type Violation, violationProblem } from '../../problem.ts'
import type { JsonSchema } from './component-schemas.ts'

/** The code and the message for a refused value. */
export type Refusal = { readonly refused: ProblemCode; readonly message: string }

/** Refuses a value. The message continues the name of the parameter: "must be a UUID". */
export const refuse = (code: ProblemCode, message: string): Refusal => ({ refused: code, message })

/**
 * `isPresent`: whether there is always a value, because the parameter is required or has a default.
 */
export type Parameter<Value, Present extends boolean = boolean> = {
  readonly in: 'path' | 'query' | 'header'
  readonly name: string
  readonly description: string
  readonly schema: JsonSchema
  readonly isPresent: Present
  /** The value if the parameter is not sent. */
  readonly fallback?: Value
  /** Parses the text of the parameter. */
  readonly read: (text: string) => Value | Refusal
}

export type Parameters = { readonly [property: string]: Parameter<string | number> }

type ValueOf<P> = P extends Parameter<infer Value> ? Value : never

/** The values of parsed parameters. A parameter that was not sent and has no default is absent. */
export type Values<Declared extends Parameters> = {
  readonly [K in keyof Declared as Declared[K]['isPresent'] extends true ? K : never]: ValueOf<
    Declared[K]
  >
} & {
  readonly [K in keyof Declared as Declared[K]['isPresent'] extends true ? never : K]?: ValueOf<
    Declared[K]
  >
}

export type Inputs<Declared extends Parameters> = {
  readonly declared: Declared
  /** Parses all parameters of a request. Throws one problem that names every wrong parameter. */
  read(request: Request, path: Readonly<Record<string, string>>): Values<Declared>
}

/** Makes the reader of declared parameters. An undeclared query parameter is refused. */
export function inputs<const Declared extends Parameters>(declared: Declared): Inputs<Declared> {
  const entries = Object.entries(declared)
  const queryNames = new Set(
    entries.filter(([, parameter]) => parameter.in === 'query').map(([, { name }]) => name),
  )
  return {
    declared,
    read(request, path) {
      const violations: Violation[] = []
      const query = readQuery(request.url, queryNames, violations)
      const values: Record<string, string | number> = {}
      for (const [property, parameter] of entries) {
        const { in: where, name } = parameter
        const text =
          where === 'path'
            ? // The router leaves out a segment that is not percent-encoded UTF-8.
              (path[name] ?? '')
            : where === 'query'
              ? query?.get(name)
              : request.headers.get(name)
        if (text === undefined || text === null) {
          if (parameter.fallback !== undefined) values[property] = parameter.fallback
          else if (parameter.isPresent)
            violations.push(violation(refuse('field-missing', 'is required'), where, name))
          continue
        }
        const value = parameter.read(text)
        if (typeof value !== 'object') values[property] = value
        else violations.push(violation(value, where, name))
      }
      const [first, ...rest] = violations
      if (first !== undefined) throw violationProblem([first, ...rest])
      return values as Values<Declared>
    },
  }
}

const violation = (
  { refused, message }: Refusal,
  where: Violation['in'],
  name: string,
): Violation => ({
  code: refused,
  in: where,
  // A name can contain any text: it is escaped by the rules of RFC 6901, and cut to keep the answer
  // small.
  pointer: `/${name.slice(0, 100).replaceAll('~', '~0').replaceAll('/', '~1')}`,
  message,
})

/**
 * The query parameters, or undefined if the URL has no query: the common case, which allocates
 * nothing.
 */
function readQuery(
  url: string,
  queryNames: ReadonlySet<string>,
  violations: Violation[],
): Map<string, string> | undefined {
  const start = url.indexOf('?')
  if (start === -1) return undefined
  const values = new Map<string, string>()
  const add = (refusal: Refusal, name: string) => violations.push(violation(refusal, 'query', name))
  for (const pair of url.slice(start + 1).split('&')) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const rawName = equals === -1 ? pair : pair.slice(0, equals)
    const name = decode(rawName)
    const value = equals === -1 ? '' : decode(pair.slice(equals + 1))
    if (name === undefined || value === undefined)
      add(refuse('field-invalid', 'is not percent-encoded UTF-8'), name ?? rawName)
    else if (!queryNames.has(name))
      add(refuse('field-unknown', 'is not a parameter of this route'), name)
    else if (values.has(name)) add(refuse('field-invalid', 'must be sent only once'), name)
    else values.set(name, value)
  }
  return values
}

const encoded = /[%+]/

function decode(text: string): string | undefined {
  if (!encoded.test(text)) return text
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}
