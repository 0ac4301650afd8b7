/** The heard part of a message in the heard view. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { heardParts } from '../../../src/conversation/wire/views.ts'

const family = '👨‍👩‍👧'
const cut = (parts: string[], characters: number) => heardParts({ parts, heard: { characters } })

/** Texts of few and of many code points to a grapheme. */
const grapheme = fc.constantFrom(
  'a',
  ' ',
  family,
  '🇩🇪',
  'e\u0301',
  '👍🏽',
  '각',
  'क्षि',
  '\r\n',
  '🙂',
)
const part = fc.array(grapheme, { minLength: 1, maxLength: 6 }).map((all) => all.join(''))

describe('heardParts', () => {
  test('the heard part ends with the last whole grapheme that the count of code points covers', () => {
    expect(cut(['Hi e\u0301!'], 4)).toEqual(['Hi '])
    expect(cut(['Hi e\u0301!'], 5)).toEqual(['Hi e\u0301'])
    expect(cut([`a${family}b`], 5)).toEqual(['a'])
    expect(cut([`a${family}b`], 6)).toEqual([`a${family}`])
    expect(cut(['🇩🇪🇫🇷'], 3)).toEqual(['🇩🇪'])
  })

  test('a part of which no whole grapheme was heard is left out, and so may be the message', () => {
    expect(cut(['One.', family], 6)).toEqual(['One.'])
    expect(cut([family], 4)).toEqual([])
  })

  test('characters of two parts never form one grapheme', () => {
    expect(cut(['e', '\u0301x'], 1)).toEqual(['e'])
    expect(cut(['e', '\u0301x'], 2)).toEqual(['e', '\u0301'])
  })

  test('the heard part is the longest prefix of whole graphemes within the count', () => {
    const segmenter = new Intl.Segmenter('en')
    const graphemesOf = (text: string) => Array.from(segmenter.segment(text), (one) => one.segment)
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 3 }), fc.nat(60), (parts, count) => {
        let remaining = count
        const expected = parts.map((text) => {
          let heard = ''
          for (const one of graphemesOf(text)) {
            remaining -= Array.from(one).length
            if (remaining < 0) break
            heard += one
          }
          return heard
        })
        expect(cut(parts, count)).toEqual(expected.filter((text) => text !== ''))
      }),
    )
  })

  test('a cut within a megabyte of one part takes less than 200 milliseconds', () => {
    for (const text of ['a'.repeat(1e6), '\u0301'.repeat(5e5), '🇩🇪'.repeat(250_000)]) {
      const began = performance.now()
      cut([text], 300_001)
      expect(performance.now() - began).toBeLessThan(200)
    }
  })
})
