/** JSON merge patch, RFC 7396. */
import { describe, expect, test } from 'bun:test'
import { mergePatch } from '../../../../src/conversation/wire/json/merge-patch.ts'

describe('merge patch', () => {
  // RFC 7396, appendix A.
  test.each([
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ a: 'b' }, ['c'], ['c']],
    [{ a: 'foo' }, null, null],
    [{ a: 'foo' }, 'bar', 'bar'],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ])('the value %j patched with %j is %j', (target, patch, result) => {
    expect(mergePatch(target as unknown, patch as unknown)).toEqual(result as never)
  })

  test('a member called __proto__ is merged like any other member', () => {
    const merged = mergePatch(JSON.parse('{"a":1}'), JSON.parse('{"__proto__":{"b":2}}'))
    expect(JSON.stringify(merged)).toBe('{"a":1,"__proto__":{"b":2}}')
  })
})
