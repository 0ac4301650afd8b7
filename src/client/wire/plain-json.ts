/**
 * Reads the caller's input once, during the call, so that later changes to it have no effect. The text
 * made of it is what is journalled, sent and compared. Values that JSON would drop or change are refused.
 */
import { Problem, type ProblemCode, type Violation } from '../../problem-error.ts'

type Json = null | boolean | number | string | Json[] | { [member: string]: Json }

/** More than the 512 levels and their frame that a service can be set to take, and far below the limit of the stack. */
const depthMax = 600

class Refusal extends Error {}

/**
 * The JSON text of `input`. Throws `input-not-json`, with the JSON Pointer of the place: a BigInt,
 * NaN or Infinity, a function, a symbol, `undefined` in a list, an invalid Date, a cycle, a getter or
 * `toJSON` that throws, and objects such as a Map, whose content JSON leaves out. A member that is
 * `undefined` is absent.
 */
export const jsonText = (input: unknown): string => from(input, JSON.stringify)

/** The same as `printed`, but a copy in place of the text. */
export const plainJson = <T>(input: T): T => from(input, (json) => json as T)

/** The same as `plainJson`. Throws `field-invalid` for what is not an object. */
export function plainObject<T extends object>(input: T): T {
  const copy: unknown = plainJson(input)
  if (typeof copy === 'object' && copy !== null && !Array.isArray(copy)) return copy as T
  throw fieldFault('', 'must be an object')
}

export const fieldFault = (
  pointer: string,
  message: string,
  code: ProblemCode = 'field-invalid',
): Problem => faultAt(pointer || 'the body', { code, pointer, in: 'body', message })

const faultAt = (place: string, violation: Violation, options: { cause?: unknown } = {}) =>
  new Problem(violation.code, `${place}: ${violation.message}`, {
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

/** When it throws, `path` is left at the place of the fault. */
function copied(given: unknown, path: string[], above: object[]): Json {
  const value = afterToJson(given, path)
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'number':
      if (Number.isFinite(value)) return value
      throw new Refusal(`${value} is no number of JSON`)
    case 'object':
      return value === null ? null : members(value, path, above)
    default:
      throw new Refusal(`${value === undefined ? value : `a ${typeof value}`} has no JSON`)
  }
}

/** Calls `toJSON` where JSON.stringify does: on objects, and on a BigInt if its prototype has the method. */
function afterToJson(given: unknown, path: readonly string[]): unknown {
  if (given === null || (typeof given !== 'object' && typeof given !== 'bigint')) return given
  const toJson: unknown = Reflect.get(Object(given), 'toJSON', given)
  if (typeof toJson !== 'function') return given
  const value: unknown = toJson.call(given, path.at(-1) ?? '')
  if (value === null && tagOf(given) === 'Date') throw new Refusal('the Date is invalid')
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
  // Without a prototype, assigning a member called `__proto__` sets no prototype.
  const copy: Record<string, Json> = Object.create(null)
  for (const member of Object.keys(record)) {
    path.push(member)
    const value: unknown = Reflect.get(record, member)
    if (value !== undefined) copy[member] = copied(value, path, above)
    path.pop()
  }
  return copy
}

/** The value in a Number, String or Boolean object; any other such object, like a Map, would become `{}`. */
function unboxed(value: object): unknown {
  const tag = tagOf(value)
  if (/^(Number|String|Boolean)$/.test(tag)) return value.valueOf()
  throw new Refusal(`a ${tag} has no JSON`)
}

const tagOf = (value: unknown) => Object.prototype.toString.call(value).slice('[object '.length, -1)

/** Whether the content of the object is in its members, which it is not for a Map or a Set. */
function isRecord(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null || tagOf(value) === 'Object'
}

function refused(path: readonly string[], reason: unknown): Problem {
  const pointer = path.map((key) => `/${key.replace(/~/g, '~0').replace(/\//g, '~1')}`).join('')
  const told = reason instanceof Error ? reason.message : 'what was thrown is no Error'
  const message = reason instanceof Refusal ? told : `it cannot be read: ${told}`
  return faultAt(
    pointer || 'the input',
    { code: 'input-not-json', pointer, in: 'body', message },
    reason instanceof Refusal ? {} : { cause: reason },
  )
}
