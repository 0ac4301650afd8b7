/**
 * Copies of the caller's input as plain JSON values. The input is read once, during the call, so that later changes to
 * it have no effect. The text of the copy is stored in the journal, sent and compared. Values that JSON would drop or
 * change are refused.
 */
import { Problem, type ProblemCode, type Violation } from '../../problem-error.ts'

type Json = null | boolean | number | string | Json[] | { [member: string]: Json }

/** The deepest nesting. A service can be set to accept 512 levels and their frame; the stack allows far more. */
const depthMax = 600

/** The error of a value that is refused. */
class Refusal extends Error {}

/**
 * The JSON text of `input`. A member that is `undefined` is absent. Throws `input-not-json` with the JSON Pointer of a
 * value that JSON cannot print: a BigInt, NaN or Infinity, a function, a symbol, `undefined` in a list, an invalid
 * Date, a cycle, a getter or `toJSON` that throws, and an object such as a Map, whose content JSON leaves out.
 */
export const jsonText = (input: unknown): string => from(input, JSON.stringify)

/** A copy of `input` as plain values. Throws as `jsonText` does. */
export const plainJson = <T>(input: T): T => from(input, (json) => json as T)

/** A copy of an object as plain values. Throws as `jsonText` does, and `field-invalid` if `input` is not an object. */
export function plainObject<T extends object>(input: T): T {
  const copy: unknown = plainJson(input)
  if (typeof copy === 'object' && copy !== null && !Array.isArray(copy)) return copy as T
  throw fieldFault('', 'must be an object')
}

/** The problem of one field of a body. */
export const fieldFault = (
  pointer: string,
  message: string,
  code: ProblemCode = 'field-invalid',
): Problem => faultAt(pointer || 'the body', { code, pointer, in: 'body', message })

const faultAt = (fieldName: string, violation: Violation, options: { cause?: unknown } = {}) =>
  new Problem(violation.code, `${fieldName}: ${violation.message}`, {
    violations: [violation],
    ...options,
  })

function from<Result>(input: unknown, made: (json: Json) => Result): Result {
  const path: string[] = []
  try {
    return made(copied(input, path, []))
  } catch (reason) {
    throw refused(path, reason)
  }
}

/** A copy of a value. If it throws, `path` is the path to the fault. */
function copied(original: unknown, path: string[], above: object[]): Json {
  const value = afterToJson(original, path)
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'number':
      if (Number.isFinite(value)) return value
      throw new Refusal(`${value} is not a JSON number`)
    case 'object':
      return value === null ? null : members(value, path, above)
    default:
      throw new Refusal(
        `${value === undefined ? value : `a ${typeof value}`} cannot be printed as JSON`,
      )
  }
}

/** Calls `toJSON` if JSON.stringify would: on objects, and on a BigInt if its prototype has the method. */
function afterToJson(original: unknown, path: readonly string[]): unknown {
  if (original === null || (typeof original !== 'object' && typeof original !== 'bigint'))
    return original
  const toJson: unknown = Reflect.get(Object(original), 'toJSON', original)
  if (typeof toJson !== 'function') return original
  const value: unknown = toJson.call(original, path.at(-1) ?? '')
  if (value === null && tagOf(original) === 'Date') throw new Refusal('the Date is invalid')
  return value
}

function members(value: object, path: string[], above: object[]): Json {
  if (above.includes(value)) throw new Refusal('it contains itself')
  if (above.length >= depthMax) throw new Refusal(`it is deeper than ${depthMax} levels`)
  above.push(value)
  const json = Array.isArray(value)
    ? listOf(value, path, above)
    : isRecord(value)
      ? recordOf(value, path, above)
      : copied(unboxed(value), path, above)
  above.pop()
  return json
}

function listOf(list: readonly unknown[], path: string[], above: object[]): Json {
  const copy: Json[] = []
  for (let n = 0; n < list.length; n += 1) {
    path.push(String(n))
    copy.push(copied(list[n], path, above))
    path.pop()
  }
  return copy
}

function recordOf(record: object, path: string[], above: object[]): Json {
  // The copy has no prototype, so that a member called `__proto__` is an ordinary member.
  const copy: Record<string, Json> = Object.create(null)
  for (const member of Object.keys(record)) {
    path.push(member)
    const value: unknown = Reflect.get(record, member)
    if (value !== undefined) copy[member] = copied(value, path, above)
    path.pop()
  }
  return copy
}

/** The value in a Number, String or Boolean object. Other objects of this kind, such as a Map, would print as `{}`. */
function unboxed(value: object): unknown {
  const tag = tagOf(value)
  if (/^(Number|String|Boolean)$/.test(tag)) return value.valueOf()
  throw new Refusal(`a ${tag} cannot be printed as JSON`)
}

const tagOf = (value: unknown) => Object.prototype.toString.call(value).slice('[object '.length, -1)

/** Whether the content of the object is in its members. That of a Map or a Set is not. */
function isRecord(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null || tagOf(value) === 'Object'
}

function refused(path: readonly string[], reason: unknown): Problem {
  const pointer = path.map((key) => `/${key.replace(/~/g, '~0').replace(/\//g, '~1')}`).join('')
  const cause = reason instanceof Error ? reason.message : 'the thrown value is not an Error'
  const message = reason instanceof Refusal ? cause : `it cannot be read: ${cause}`
  return faultAt(
    pointer || 'the input',
    { code: 'input-not-json', pointer, in: 'body', message },
    reason instanceof Refusal ? {} : { cause: reason },
  )
}
