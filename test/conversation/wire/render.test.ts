/** Splitting a text into parts and joining them again. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { joinParts, splitResponses } from '../../../src/conversation/wire/render.ts'

/** Texts in which the mark, or a piece of it, is frequent. */
const splitty = fc
  .array(fc.oneof(fc.constantFrom('[SPLIT]', '[SPL', 'IT]', '[', ']', ' ', ''), fc.string()))
  .map((pieces) => pieces.join(''))

describe('render', () => {
  test('joined parts split into the same parts', () => {
    fc.assert(
      fc.property(fc.array(splitty), (responses) => {
        const parts = splitResponses(responses)
        expect(splitResponses([joinParts(parts)])).toEqual(parts)
        expect(parts.every((part) => part !== '' && !part.includes('[SPLIT]'))).toBe(true)
      }),
    )
  })

  test('splitting a response removes only the [SPLIT] marks', () => {
    fc.assert(
      fc.property(fc.array(splitty), (responses) => {
        const withoutMarks = responses
          .map((response) => response.split('[SPLIT]').join(''))
          .join('')
        expect(splitResponses(responses).join('')).toBe(withoutMarks)
      }),
    )
  })

  test('a response that ends with the mark is one part with its white space', () => {
    expect(splitResponses([' hello [SPLIT]', '[SPLIT]', '', ' '])).toEqual([' hello ', ' '])
  })
})
