/** Numbers of a JSON text that JavaScript would round, and their locations. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { inexactNumbers } from '../../../../src/conversation/wire/json/exact-numbers.ts'
import { jsonBounds } from '../../../../src/conversation/wire/json/json-scan.ts'
import { refuseInexact } from '../../../../src/conversation/wire/json-text.ts'
import { settings } from '../../../../src/settings/settings.ts'

const pointers = (text: string) => inexactNumbers(text).map(({ pointer }) => pointer)

/** Digits without leading zeros. */
const digits = (minLength: number, maxLength: number) =>
  fc
    .tuple(
      fc.integer({ min: 1, max: 9 }),
      fc.stringMatching(new RegExp(`^[0-9]{${minLength - 1},${maxLength - 1}}$`)),
    )
    .map(([first, rest]) => `${first}${rest}`)
const integer = fc
  .tuple(fc.constantFrom('', '-'), fc.oneof(digits(1, 15), digits(15, 22), digits(300, 320)))
  .map(([sign, rest]) => sign + rest)

describe('an integer literal', () => {
  test('an integer literal is exact only if JavaScript prints the same integer', () => {
    fc.assert(
      fc.property(integer, (literal) => {
        const value = Number(literal)
        const printed = String(value)
        // From 1e21 on, JavaScript prints every value with an exponent.
        const isSame = /^-?\d+$/.test(printed) && BigInt(printed) === BigInt(literal)
        expect(pointers(`{"a":${literal}}`)).toEqual(isSame ? [] : ['/a'])
        expect(pointers(literal)).toEqual(isSame ? [] : [''])
      }),
      { numRuns: 2000 },
    )
  })

  test.each([
    '0',
    '-0',
    '9007199254740992',
    '9007199254740994',
    '1716199999123456',
    '100000000000000000000',
    '-100000000000000000000',
  ])('the integer %p is exact', (literal) => {
    expect(pointers(`[${literal}]`)).toEqual([])
  })

  test.each([
    '9007199254740993',
    '-9007199254740993',
    '12345678901234567890',
    '18446744073709551616',
    '1000000000000000000000',
    '9'.repeat(400),
  ])('the integer %p is not exact', (literal) => {
    expect(inexactNumbers(`[ ${literal} ]`)).toEqual([
      { pointer: '/0', source: literal, isInfinite: literal.length > 310 },
    ])
  })
})

describe('a decimal', () => {
  test.each([
    '0.1234567890123456789',
    '1.0',
    '1e21',
    '1E+300',
    '1e-400',
    '12345678901234567890.5',
    '12345678901234567890e0',
  ])('the decimal %p is read as the nearest double', (literal) => {
    expect(pointers(`{"a":${literal}}`)).toEqual([])
  })

  test.each(['1e400', '1.0e400', '-1E+0400', `${'1'.repeat(16)}e300`, `${'9'.repeat(310)}.5`])(
    'the number %p is past the range of a double',
    (literal) => {
      expect(inexactNumbers(`{"a":${literal}}`)).toEqual([
        { pointer: '/a', source: literal, isInfinite: true },
      ])
    },
  )
})

describe('inexactNumbers', () => {
  test('inexactNumbers returns at most the requested number of locations', () => {
    const text = `[${'9007199254740993,'.repeat(70)}[1e400]]`
    expect(pointers(text)).toHaveLength(50)
    expect(inexactNumbers(text, 71).map(({ pointer }) => pointer)).toContain('/70/0')
    expect(inexactNumbers(text, 1)).toHaveLength(1)
  })

  test('inexactNumbers returns JSON Pointers for names of any kind', () => {
    const text =
      '{"a/b":[1,9007199254740993,{"~":1e400}],"__proto__":{"x":9007199254740993},"":9007199254740993}'
    expect(pointers(text)).toEqual(['/', '/a~1b/1', '/a~1b/2/~0', '/__proto__/x'])
  })

  test('inexactNumbers reports the last value of a name that an object has twice', () => {
    expect(pointers('{"a":9007199254740993,"a":1}')).toEqual([])
    expect(pointers('{"a":1,"a":9007199254740993}')).toEqual(['/a'])
  })

  test('inexactNumbers ignores digits inside strings', () => {
    for (const sample of ['9007199254740993', 'at: 9007199254740993', '[1e400, 9007199254740993]'])
      expect(pointers(JSON.stringify({ text: sample, [sample]: sample }))).toEqual([])
  })

  test('inexactNumbers finds a number at every position in other JSON', () => {
    const at = fc.array(fc.oneof(fc.string({ minLength: 1 }), fc.nat(3)), { maxLength: 4 })
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), at, (beside, path) => {
        // The text is built from the inside. Every level has other values before and after it.
        let text = '9007199254740993'
        for (const step of path.toReversed())
          text =
            typeof step === 'number'
              ? `[${'null,'.repeat(step)}${text},${JSON.stringify(beside)}]`
              : `{"\\u0000before":${JSON.stringify(beside)},${JSON.stringify(step)}:${text}}`
        const pointer = path
          .map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`)
          .join('')
        expect(pointers(text)).toContain(pointer)
      }),
    )
  })
})

describe('refuseInexact', () => {
  /** A frame with a long integer in `levels` objects and arrays. */
  const frameOf = (levels: number) => {
    const inner = levels - 4
    return `{"turn":{"assistant":{"metadata":{"a":${'['.repeat(inner)}9007199254740993${']'.repeat(inner)}}}}}`
  }

  test('refuseInexact searches a frame to the highest nesting that limits.jsonDepthMax can allow', () => {
    expect(settings.limits.jsonDepthMax.schema).toMatchObject({ maximum: jsonBounds.levels })
    expect(() => refuseInexact(frameOf(jsonBounds.levels + 1))).toThrow('more digits')
  })

  test('refuseInexact leaves nesting above that to the decoder, which refuses it without exhausting the stack', () => {
    for (const levels of [jsonBounds.levels + 2, 60_000])
      expect(() => refuseInexact(frameOf(levels))).not.toThrow()
  })
})
