/** JSON documents of several lines, and values that a line must not hold. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { checkValues, type ValueOptions } from '../../../src/transfer/import/line-values.ts'
import { readDocuments } from '../../../src/transfer/lines/documents.ts'
import { readLines } from '../../../src/transfer/lines/lines.ts'
import { parseSourced } from '../../../src/transfer/lines/sourced-json.ts'

async function documentsOf(text: string, bytesMax = 1000) {
  const bytes = (async function* () {
    yield new TextEncoder().encode(text)
  })()
  const found: [number, string][] = []
  for await (const line of readDocuments(readLines(bytes, bytesMax), bytesMax))
    found.push([line.number, 'text' in line ? line.text : `! ${line.unusable}`])
  return found
}

describe('a file', () => {
  test('a file whose first line starts a JSON document is read as one document', async () => {
    const document = JSON.stringify({ id: 1, messages: [{ a: [] }] }, null, 2)
    const unindented = document.replaceAll(/^ +/gm, '')
    expect(await documentsOf(`\n${document}\n`)).toEqual([[2, unindented]])
    expect(await documentsOf('[{"a":1},\n{"b":2}]')).toEqual([[1, '[{"a":1},\n{"b":2}]']])
  })

  test('a file whose first line is a document has one per line, and a comma after it is cut', async () => {
    expect(await documentsOf('{"a":1},\n{"b":2} ,\n"c",\n[1]\n')).toEqual([
      [1, '{"a":1}'],
      [2, '{"b":2}'],
      [3, '"c",'],
      [4, '[1]'],
    ])
  })

  test('an invalid document that begins with a bracket is reported once, any other file line by line', async () => {
    const cut = JSON.stringify([{ id: 1 }, { id: 2 }], null, 2).slice(0, -1)
    expect(await documentsOf(cut)).toEqual([
      [
        1,
        '! starts a JSON document of several lines, but the file as a whole is not valid JSON: write one conversation per line, as `jq -c .` does',
      ],
    ])
    expect(await documentsOf('{"a":\n{"b":2}\n{"c":3}')).toEqual([
      [1, '{"a":'],
      [2, '{"b":2}'],
      [3, '{"c":3}'],
    ])
    const long = JSON.stringify(
      Array.from({ length: 99 }, (_, id) => ({ id })),
      null,
      2,
    )
    expect(await documentsOf(long, 300)).toEqual([
      [
        1,
        '! is a JSON document of several lines and more than 300 bytes: raise --line-bytes, or write one conversation per line',
      ],
    ])
    const broken = `{"a":\n${'{"b":2}\n'.repeat(50)}`
    expect(await documentsOf(broken, 100)).toHaveLength(51)
  })
})

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
