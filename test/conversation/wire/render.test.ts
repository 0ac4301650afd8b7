/** Splitting a text into parts and joining them again. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { joinParts, splitResponses } from '../../../src/conversation/wire/render.ts'

/** Text in which the marker, whole and in pieces, is frequent. */
const splitty = fc
  .array(fc.oneof(fc.constantFrom('[SPLIT]', '[SPL', 'IT]', '[', ']', ' ', ''), fc.string()))
  .map((pieces) => pieces.join(''))

describe('render', () => {
  test('splitting what was joined gives the parts again', () => {
    fc.assert(
      fc.property(fc.array(splitty), (responses) => {
        const parts = splitResponses(responses)
        expect(splitResponses([joinParts(parts)])).toEqual(parts)
        expect(parts.every((part) => part !== '' && !part.includes('[SPLIT]'))).toBe(true)
      }),
    )
  })

  test('splitting loses nothing but the markers', () => {
    fc.assert(
      fc.property(fc.array(splitty), (responses) => {
        const kept = responses.map((response) => response.split('[SPLIT]').join('')).join('')
        expect(splitResponses(responses).join('')).toBe(kept)
      }),
    )
  })

  test('a response that ends with the marker is one part, its white space kept', () => {
    expect(splitResponses([' hello [SPLIT]', '[SPLIT]', '', ' '])).toEqual([' hello ', ' '])
  })
})
