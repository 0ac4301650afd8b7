/** Lines in which an object has two members of one name. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { refuseRepeated } from '../../../src/transfer/import/repeated-names.ts'
import { parseSourced } from '../../../src/transfer/lines/sourced-json.ts'

function reasonFor(text: string): string {
  try {
    refuseRepeated(text, parseSourced(text).members)
    return ''
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

describe('a repeated name', () => {
  test.each([
    ['{"messages":[1],"messages":[2]}', '`messages`', 'one object'],
    ['{"id":"a","messages":[],"id":"b"}', '`id`', 'one object'],
    [
      '{"messages":[{"a":1},{"content":"x","content":"y"}]}',
      '`content`',
      'the object at /messages/1',
    ],
    ['{"a":{"b/c":[[],[{"d":{"e":1,"f":2,"e":3}}]]}}', '`e`', 'the object at /a/b~1c/1/0/d'],
    [String.raw`{"a":1,"\u0061":2}`, '`a`', 'one object'],
    [String.raw`{"\"a\\":1 , "\"a\\" : 2}`, '`\\"a\\\\`', 'one object'],
    ['{"__proto__":1,"__proto__":{"a":2}}', '`__proto__`', 'one object'],
    [
      '{"a":{"__proto__":{"b":1}},"c":[{"__proto__":1,"__proto__":1}]}',
      '`__proto__`',
      'the object at /c/0',
    ],
    ['{"":1,"":2}', '``', 'one object'],
    ['{"1":1,"1":2}', '`1`', 'one object'],
    ['{"a":{"b":1},"a":{"b":1}}', '`a`', 'one object'],
    ['{"a\\nb":1,"a\\nb":2}', '`a\\nb`', 'one object'],
  ])('a repeated name is reported with its object: %s', (text, name, object) => {
    expect(reasonFor(text)).toBe(`has two members named ${name} in ${object}`)
  })

  test.each([
    '{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]}',
    String.raw`{"a":"\"a\":1,\"a\":2","b":"{\"c\":1}"}`,
    '{"__proto__":1,"constructor":2,"toString":3}',
    '{"a":1,"A":2}',
    '[[1,2],["a","a"],{}]',
    '"a"',
    '7',
  ])('a line whose objects have each name once is accepted: %s', (text) => {
    expect(reasonFor(text)).toBe('')
  })

  test('a repeated name is found at any depth, and printed JSON has none', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 4 }), fc.string(), (text, name) => {
        expect(reasonFor(text)).toBe('')
        const member = `${JSON.stringify(name)}:${text}`
        expect(reasonFor(`[{"z${'z'.repeat(name.length)}":0,${member},${member}}]`)).toContain(
          ' at /0',
        )
      }),
    )
  })
})
