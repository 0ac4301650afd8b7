/** Scans of a JSON text without parsing it. */
import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { outermostStrings } from '../../../../src/conversation/wire/json/json-scan.ts'

const isPlain = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

test('outermostStrings returns only the string members of the outermost object', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
      const members = isPlain(value) ? Object.entries(value) : []
      const strings = members.filter(([, member]) => typeof member === 'string')
      const expected = JSON.stringify(Object.fromEntries(strings))
      expect(JSON.stringify(outermostStrings(JSON.stringify(value)))).toBe(expected)
      expect(JSON.stringify(outermostStrings(JSON.stringify(value, null, 2)))).toBe(expected)
    }),
    { numRuns: 2000 },
  )
  expect(outermostStrings('{"id":"a","n":[{"id":"b"}],"c":"d"')).toEqual({ id: 'a' })
})
