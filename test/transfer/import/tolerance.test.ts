/** Replacements that a user can allow: of characters that cannot be stored, and of large values. */

import { describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { isStorable } from '../../../src/conversation/wire/validation.ts'
import { mayBeInvalid, replaceInvalid } from '../../../src/transfer/import/invalid-text.ts'
import { fitMetadata } from '../../../src/transfer/import/large-values.ts'

describe('replacing invalid text', () => {
  test('NUL and lone surrogates become U+FFFD in texts and in names, and are counted', () => {
    const value = JSON.parse('{"a\\u0000":["\\ud800x", 1, {"b": "fine \\ud83d\\ude42"}]}')
    expect(replaceInvalid(value)).toBe(2)
    expect(value).toEqual({ 'a\ufffd': ['\ufffdx', 1, { b: 'fine 🙂' }] })
  })

  test('every value can be stored afterwards, and a storable value is unchanged', () => {
    const text = fc.string({ unit: 'binary' })
    fc.assert(
      fc.property(fc.array(fc.dictionary(text, text)), (original) => {
        const value = JSON.parse(JSON.stringify(original))
        const count = replaceInvalid(value)
        const texts = value.flatMap((one: object) => Object.entries(one).flat())
        expect(texts.every(isStorable)).toBe(true)
        if (count === 0) expect(value).toEqual(JSON.parse(JSON.stringify(original)))
        else expect(mayBeInvalid(JSON.stringify(original))).toBe(true)
      }),
    )
  })

  test('a member called __proto__ stays a member', () => {
    const value = JSON.parse('{"__proto__":"\\u0000"}')
    replaceInvalid(value)
    expect(JSON.stringify(value)).toBe('{"__proto__":"\ufffd"}')
  })
})

describe('fitting metadata', () => {
  const bytesOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value))

  test('metadata that fits is unchanged', () => {
    const metadata = { a: 'x'.repeat(16_000) }
    expect(fitMetadata(metadata)).toEqual({ value: metadata, omitted: 0 })
  })

  test('the largest text becomes a marker with its size and SHA-256, and smaller ones stay', () => {
    const large = 'é'.repeat(10_000)
    const small = 'y'.repeat(1000)
    const { value, omitted } = fitMetadata({ openai: { before: [{ large }, { small }] } })
    const hash = createHash('sha256').update(large).digest('hex')
    expect(omitted).toBe(1)
    expect(value).toEqual({
      openai: {
        before: [{ large: `[omitted by the import: 20000 bytes, SHA-256 ${hash}]` }, { small }],
      },
    })
  })

  test('many small values that are too large together become one marker', () => {
    const { value, omitted } = fitMetadata({
      list: Array.from({ length: 9000 }, (_, n) => n),
      b: 1,
    })
    expect(omitted).toBe(1)
    expect(value).toEqual({ list: expect.stringContaining('omitted by the import'), b: 1 })
  })

  test('the result fits for every metadata', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ maxLength: 8 }), fc.jsonValue({ maxDepth: 3 }), { maxKeys: 6 }),
        fc.integer({ min: 1200, max: 4000 }),
        (metadata, bytesMax) => {
          expect(bytesOf(fitMetadata(metadata, bytesMax).value)).toBeLessThanOrEqual(bytesMax)
        },
      ),
      { numRuns: 300 },
    )
  })
})
