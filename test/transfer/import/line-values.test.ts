/** JSON documents of several lines, and values that a line must not hold. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { checkValues, type ValueOptions } from '../../../src/transfer/import/line-values.ts'
import { parseSourced } from '../../../src/transfer/lines/sourced-json.ts'

describe('the values of a line', () => {
  const wrong = (text: string, options: Partial<ValueOptions> = {}): string => {
    try {
      checkValues(parseSourced(text), text, { idMember: undefined, hasTimes: true, ...options })
      return ''
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    }
  }

  test.each([
    [
      '{"a":[0,{"b/~c":9007199254740993}]}',
      '/a/1/b~1~0c is the integer 9007199254740993, which JavaScript cannot hold exactly: it would become 9007199254740992',
    ],
    ['{"a":1e400}', '/a is 1e400, which is outside the range of a double'],
    ['{"a":-1e400}', '/a is -1e400, which is outside the range of a double'],
    [
      '{"a":100000000000000000000000}',
      '/a is the integer 100000000000000000000000, which JavaScript cannot hold exactly: it would become 1e+23',
    ],
    ['{"id":1234567890123456789}', '/id is the integer'],
    ['{"undefined":1234567890123456789}', '/undefined is the integer'],
    ['{"a":"\\u0000"}', '/a contains NUL'],
    ['{"a":["\\ud800"]}', '/a/0 contains NUL or a lone surrogate'],
    ['{"a":{"\\u0000":1}}', '/a has a member whose name cannot be stored'],
    [`{"a":${'['.repeat(600)}${']'.repeat(600)}}`, 'nests deeper than 512 levels'],
    [`[${'1e999,'.repeat(9)}1]`, '; and 6 more'],
  ])('the line %s is refused: %s', (text, reason) => {
    expect(wrong(text)).toContain(reason)
  })

  test('numbers that a double holds are accepted: -0, fractions, and integers that print unchanged', () => {
    for (const number of ['-0', '0.1', '1.0', '1e22', '9007199254740991', '-123456789012345680000'])
      expect(wrong(`{"a":${number}}`)).toBe('')
    expect(wrong('{"a":"1234567890123456789 1e400 \\\\u0000"}')).toBe('')
    expect(wrong('{"id":1234567890123456789}', { idMember: 'id' })).toBe('')
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }), (integer) => {
        expect(wrong(`[${integer}]`) === '').toBe(String(Number(integer)) === String(integer))
      }),
    )
  })

  test('a line is checked to its end, even after many times in nanoseconds', () => {
    const digits = Array.from({ length: 60 }, (_, n) => String(1732350600123456700n + BigInt(n)))
    const messages = digits.map((timestamp) => `{"timestamp":${timestamp}}`).join()
    const text = `{"messages":[${messages}]}`
    const json = parseSourced(text)
    expect(checkValues(json, text, { idMember: undefined, hasTimes: true })).toBe(60)
    expect(json.value).toEqual({ messages: digits.map((timestamp) => ({ timestamp })) })
    expect(
      wrong(`{"messages":[${messages}],"metadata":{"snowflake":1234567890123456789}}`),
    ).toContain('/metadata/snowflake is the integer 1234567890123456789')
    expect(wrong(`[${'1e999,'.repeat(900)}1]`)).toContain('; and 897 more')
  })

  test('a time in nanoseconds that a double cannot hold is kept as a text of its digits', () => {
    const text =
      '{"timestamp":1716200001123456789,"messages":[{"metadata":{"ts":1716200001123456789}}]}'
    const json = parseSourced(text)
    expect(checkValues(json, text, { idMember: undefined, hasTimes: true })).toBe(2)
    expect(json.value).toEqual({
      timestamp: '1716200001123456789',
      messages: [{ metadata: { ts: '1716200001123456789' } }],
    })
    const deeper = '{"messages":[{"call":{"ts":1716200001123456789}}]}'
    expect(wrong(deeper)).toContain('/messages/0/call/ts is the integer')
    expect(wrong(text, { hasTimes: false })).toContain('/timestamp is the integer')
    // These are the years 2513 and 2116. Times in the future are not used, so they count as
    // numbers.
    for (const ahead of ['17162000012345678901', '4620000001234567890'])
      expect(wrong(`{"messages":[{"created_at":${ahead}}]}`)).toContain(
        `/messages/0/created_at is the integer ${ahead}`,
      )
  })
})
