/**
 * Checks values against schemas and against rules of Postgres. It reports every broken rule with
 * its location.
 */
import type { Static, TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import Format from 'typebox/format'
import { Settings } from 'typebox/system'
import { type ProblemCode, type Violation, violationProblem, violationsMax } from '../../problem.ts'
import { escapePointer } from './json/exact-numbers.ts'
import { parseTime } from './time.ts'

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** Whether a text is a UUID in its usual form, of any version. */
export const isUuid = (text: string): boolean => uuid.test(text)

const isHttpUrl = (text: string) => /^https?:\/\//i.test(text) && URL.canParse(text)

/**
 * Maximum characters of a location in a problem: callers choose names, and long ones would enlarge it.
 */
const pointerCharactersMax = 200

// TypeBox lists two errors for each unknown field, and lists these before all other errors.
Settings.Set({ maxErrors: 8 * violationsMax })

Format.Set('uuid', isUuid)
Format.Set('turnlog-time', (text) => parseTime(text) !== undefined)
Format.Set('http-url', isHttpUrl)

const formats: Record<string, { code: ProblemCode; message: string }> = {
  uuid: { code: 'id-invalid', message: 'must be a UUID' },
  'turnlog-time': {
    code: 'time-invalid',
    message: 'must be an RFC 3339 time in the years 0001 to 9999',
  },
  'http-url': { code: 'url-invalid', message: 'must be an absolute http or https URL' },
}

/**
 * Whether a location is inside metadata or a trace, where callers may put any JSON, in a body or a
 * frame.
 */
export const isOwnJson = (pointer: string): boolean =>
  /^(\/turn)?(\/user|\/assistant)?\/(metadata|memoryRetrievalTrace)\//.test(pointer)

export const pastDouble = 'is past the range of a double'

/**
 * Makes a function that returns a value of the schema, or throws a problem with every violation.
 * `depthMax` bounds nesting.
 */
export function shape<T extends TSchema>(
  schema: T,
  depthMax: number,
): (value: unknown) => Static<T> {
  const compiled = Compile(schema)
  return (value) => {
    if (!isClean(value, 0, depthMax)) {
      const found: Violation[] = []
      scan(value, '', 0, depthMax, found)
      refuse(found)
    }
    if (compiled.Check(value)) return value as Static<T>
    const broken = new Map<string, Violation>()
    // A union reports errors of every branch. The first error of a location is the most helpful one.
    const errors = compiled.Errors(value)
    for (const error of errors.filter((one) => !isOfNull(one, errors)))
      for (const one of violationsOf(error))
        if (!broken.has(one.pointer)) broken.set(one.pointer, one)
    refuse([...broken.values()])
    // TypeBox lists at most `maxErrors` errors, and `violationsOf` may have left out all of these.
    throw violationProblem([violation('field-invalid', '', 'does not have the documented form')])
  }
}

type SchemaError = ReturnType<ReturnType<typeof Compile<TSchema>>['Errors']>[number]

/**
 * Whether an error only says that an object is not null, or fits no branch of a nullable value,
 * while another error names the wrong member of the object.
 */
const isOfNull = ({ keyword, instancePath, params }: SchemaError, errors: readonly SchemaError[]) =>
  (keyword === 'anyOf' || (keyword === 'type' && 'type' in params && params.type === 'null')) &&
  errors.some((other) => placeOf(other).startsWith(`${instancePath}/`))

/** The place that a violation names: an error about unknown members has that of the object. */
const placeOf = ({ keyword, instancePath }: SchemaError) =>
  keyword === 'additionalProperties' ? `${instancePath}/` : instancePath

function violationsOf(error: SchemaError): Violation[] {
  const at = error.instancePath
  switch (error.keyword) {
    case 'additionalProperties':
      // One error lists every unknown name, and a body may have thousands of them.
      return error.params.additionalProperties
        .slice(0, violationsMax + 1)
        .map((name) =>
          violation(
            'field-unknown',
            `${at}/${escapePointer(String(name))}`,
            'is not a known field',
          ),
        )
    case 'required':
      return error.params.requiredProperties.map((name) =>
        violation('field-missing', `${at}/${escapePointer(name)}`, 'is required'),
      )
    // The parent's `additionalProperties` error reports the same field with its name.
    case 'boolean':
      return []
    case 'format': {
      const format = formats[error.params.format]
      if (format !== undefined) return [violation(format.code, at, format.message)]
      break
    }
  }
  return [violation('field-invalid', at, error.message)]
}

/** Whether `scan` would find nothing. It costs less, because it keeps no locations. */
function isClean(value: unknown, depth: number, depthMax: number): boolean {
  if (typeof value === 'string') return isStorable(value)
  if (typeof value === 'number') return Number.isFinite(value)
  if (typeof value !== 'object' || value === null) return true
  if (depth >= depthMax) return false
  if (Array.isArray(value)) {
    for (const item of value) if (!isClean(item, depth + 1, depthMax)) return false
    return true
  }
  for (const [name, item] of Object.entries(value))
    if (!isStorable(name) || !isClean(item, depth + 1, depthMax)) return false
  return true
}

/**
 * Finds values that JSON allows and Postgres cannot store, and nesting that could exhaust a stack.
 */
function scan(
  value: unknown,
  pointer: string,
  depth: number,
  depthMax: number,
  found: Violation[],
): void {
  if (found.length >= violationsMax) return
  if (typeof value === 'string') {
    if (!isStorable(value))
      found.push(violation('text-invalid', pointer, 'holds NUL or a lone surrogate'))
  } else if (typeof value === 'number') {
    if (!Number.isFinite(value)) {
      const code = isOwnJson(pointer) ? 'number-inexact' : 'field-invalid'
      found.push(violation(code, pointer, pastDouble))
    }
  } else if (typeof value === 'object' && value !== null) {
    if (depth >= depthMax) {
      found.push(violation('json-too-large', pointer, `nests deeper than ${depthMax} levels`))
      return
    }
    if (Array.isArray(value)) {
      for (const [index, item] of value.entries())
        scan(item, `${pointer}/${index}`, depth + 1, depthMax, found)
    } else {
      for (const [name, item] of Object.entries(value)) {
        if (!isStorable(name))
          found.push(
            violation(
              'text-invalid',
              pointer,
              'has a field whose name holds NUL or a lone surrogate',
            ),
          )
        scan(item, `${pointer}/${escapePointer(name)}`, depth + 1, depthMax, found)
      }
    }
  }
}

/** Whether Postgres can store a text: it has neither NUL nor a lone surrogate. */
export const isStorable = (text: string) => text.isWellFormed() && !text.includes('\0')

/** A violation in a body, with its location shortened to the maximum length. */
export const violation = (code: ProblemCode, pointer: string, message: string): Violation => ({
  code,
  pointer:
    pointer.length > pointerCharactersMax
      ? `${pointer.slice(0, pointerCharactersMax)}…`.toWellFormed()
      : pointer.toWellFormed(),
  in: 'body',
  message,
})

/** Throws a problem with the violations, if there are any. */
export function refuse(found: readonly Violation[]): void {
  const [first, ...others] = found
  if (first !== undefined) throw violationProblem([first, ...others])
}
