/** Inputs as JSON text: equal to JSON.stringify, or refused where JSON.stringify would drop or change a value. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { jsonText, plainJson } from '../../../src/client/wire/plain-json.ts'
import { Problem } from '../../../src/problem.ts'

const refusal = (input: unknown): Problem => {
  try {
    jsonText(input)
  } catch (thrown) {
    if (thrown instanceof Problem) return thrown
    throw thrown
  }
  throw new Error('it was printed')
}

const throwing = (reason: unknown) => () => {
  throw reason
}

const cycle: Record<string, unknown> = { list: [] }
cycle['list'] = [{ cycle }]

const deep = (levels: number) => {
  let value: unknown = 1
  for (let n = 0; n < levels; n += 1) value = [value]
  return value
}

const revoked = Proxy.revocable({}, {})
revoked.revoke()

describe('jsonText and plainJson', () => {
  test('the JSON text of an input equals that of JSON.stringify for every value that JSON keeps', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
        expect(jsonText(value)).toBe(JSON.stringify(value))
        expect(jsonText(plainJson(value))).toBe(JSON.stringify(value))
      }),
      { numRuns: 500 },
    )
    class Point {
      x = 1
      readonly y = 2
    }
    const when = new Date(0)
    for (const value of [
      { absent: undefined, there: null },
      JSON.parse('{"__proto__":{"a":1},"2":1,"1":2}'),
      Object.assign(Object.create(null), { a: 1 }),
      new Point(),
      { when, url: new URL('https://a.example/') },
      { toJSON: (key: string) => [key, { toJSON: 'text' }] },
      [Object('text'), Object(1), Object(false)],
      { lone: '\ud800', '\ud800': 1, line: '\u2028', zero: -0, large: 2 ** 60, small: 1e-7 },
      new Proxy({ a: [1] }, {}),
      Object.defineProperty({ a: 1 }, 'hidden', { value: 1n, enumerable: false }),
      { [Symbol('hidden')]: 1n, a: 1 },
    ])
      expect(jsonText(value)).toBe(JSON.stringify(value))
  })

  test('a value that JSON would drop or change is refused with its JSON Pointer', () => {
    const cases: readonly (readonly [unknown, string, RegExp])[] = [
      [undefined, '', /undefined cannot be printed as JSON/],
      [() => 1, '', /a function cannot be printed as JSON/],
      [{ toJSON: () => undefined }, '', /undefined/],
      [{ a: { toJSON: () => undefined } }, '/a', /undefined/],
      [{ 'a/b~c': [0, 1n] }, '/a~1b~0c/1', /a bigint/],
      [{ a: Object(1n) }, '/a', /bigint/i],
      [{ a: () => 1 }, '/a', /a function/],
      [[Symbol('a')], '/0', /a symbol/],
      [[1, undefined], '/1', /undefined/],
      [Object.assign([], { length: 2 }), '/0', /undefined/],
      [{ a: Number.NaN }, '/a', /NaN/],
      [[Infinity], '/0', /Infinity/],
      [{ a: Object(Number.NaN) }, '/a', /NaN/],
      [{ at: new Date('no date') }, '/at', /the Date is invalid/],
      [{ a: new Map([[1, 2]]) }, '/a', /a Map/],
      [{ a: new Set([1]) }, '/a', /a Set/],
      [{ a: Promise.resolve(1) }, '/a', /a Promise/],
      [{ a: new Uint8Array(2) }, '/a', /Uint8Array/],
      [{ a: new WeakMap() }, '/a', /WeakMap/],
      [{ a: new Error('gone') }, '/a', /an? Error/],
      [{ a: /x/ }, '/a', /RegExp/],
      [cycle, '/list/0/cycle', /contains itself/],
      [deep(10_000), '/0'.repeat(600), /deeper than 600 levels/],
      [{ a: { toJSON: throwing(new Error('my own')) } }, '/a', /my own/],
      [
        { a: Object.defineProperty({}, 'b', { get: throwing('text'), enumerable: true }) },
        '/a/b',
        /./,
      ],
      [{ a: revoked.proxy }, '/a', /cannot be read/],
      [{ a: { toJSON: () => 1n } }, '/a', /bigint/i],
    ]
    for (const [input, pointer, message] of cases) {
      const problem = refusal(input)
      expect(problem).toMatchObject({ code: 'input-not-json', status: 422, retryable: false })
      expect(problem.violations.map((violation) => violation.pointer)).toEqual([pointer])
      expect(problem.message).toMatch(message)
    }
  })

  test('each getter of an input is read once, and later changes of the input do not change its JSON text', () => {
    let reads = 0
    const input = {
      list: [1],
      get counted() {
        reads += 1
        // `list` has already been read, so this change is not in the text.
        input.list.push(reads)
        return reads
      },
    }
    const text = jsonText(input)
    expect(text).toBe('{"list":[1],"counted":1}')
    const copy = plainJson({ a: input.list })
    input.list.length = 0
    expect(copy).toEqual({ a: [1, 1] })
    // A program may add a `toJSON` to the prototype of BigInt, which then prints it.
    const before = Object.getOwnPropertyDescriptor(BigInt.prototype, 'toJSON')
    Object.defineProperty(BigInt.prototype, 'toJSON', {
      configurable: true,
      value: () => 'printed',
    })
    try {
      expect(jsonText([1n])).toBe(JSON.stringify([1n]))
    } finally {
      if (before === undefined) Reflect.deleteProperty(BigInt.prototype, 'toJSON')
    }
  })
})
