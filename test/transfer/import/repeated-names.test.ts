/** A line with a name that stands twice in one object is refused by that name. Pure. */
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
const twice = (what: string) => `a name stands twice in one object: ${what}`

describe('a name that stands twice', () => {
  test.each([
    ['{"messages":[1],"messages":[2]}', '`messages`'],
    ['{"id":"a","messages":[],"id":"b"}', '`id`'],
    ['{"messages":[{"a":1},{"content":"x","content":"y"}]}', '`content` at /messages/1'],
    ['{"a":{"b/c":[[],[{"d":{"e":1,"f":2,"e":3}}]]}}', '`e` at /a/b~1c/1/0/d'],
    [String.raw`{"a":1,"\u0061":2}`, '`a`'],
    [String.raw`{"\"a\\":1 , "\"a\\" : 2}`, '`\\"a\\\\`'],
    ['{"__proto__":1,"__proto__":{"a":2}}', '`__proto__`'],
    ['{"a":{"__proto__":{"b":1}},"c":[{"__proto__":1,"__proto__":1}]}', '`__proto__` at /c/0'],
    ['{"":1,"":2}', '``'],
    ['{"1":1,"1":2}', '`1`'],
    ['{"a":{"b":1},"a":{"b":1}}', '`a`'],
    ['{"a\\nb":1,"a\\nb":2}', '`a\\nb`'],
  ])('is named with its object: %s', (text, what) => {
    expect(reasonFor(text)).toBe(twice(what))
  })

  test.each([
    '{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]}',
    String.raw`{"a":"\"a\":1,\"a\":2","b":"{\"c\":1}"}`,
    '{"__proto__":1,"constructor":2,"toString":3}',
    '{"a":1,"A":2}',
    '[[1,2],["a","a"],{}]',
    '"a"',
    '7',
  ])('is not found where each object has it once: %s', (text) => {
    expect(reasonFor(text)).toBe('')
  })

  test('is found wherever a member is repeated, and in no value that was printed', () => {
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
