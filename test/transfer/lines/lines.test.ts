/** The pure parts of an import: lines, sentences and ids. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { conversationIdOf, idWithin } from '../../../src/transfer/formats/derived-ids.ts'
import { sentences } from '../../../src/transfer/formats/sentences.ts'
import { type Line, readLines } from '../../../src/transfer/lines/lines.ts'

async function linesOf(bytes: Uint8Array, cuts: readonly number[], bytesMax = 1000) {
  const lines: Line[] = []
  const chunks = (async function* () {
    let from = 0
    for (const cut of [...cuts, bytes.byteLength]) {
      yield bytes.subarray(from, from + cut)
      from += cut
    }
    if (from < bytes.byteLength) yield bytes.subarray(from)
  })()
  for await (const line of readLines(chunks, bytesMax)) lines.push(line)
  return lines
}

const encode = (text: string) => new TextEncoder().encode(text)

describe('lines', () => {
  test('the lines of a file are the same however its bytes are cut into pieces', async () => {
    const line = fc.string({ unit: 'binary', maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(line, fc.constantFrom('', '{"a":1}', '好😀')), { maxLength: 8 }),
        fc.array(fc.nat(9), { maxLength: 12 }),
        fc.constantFrom('\n', '\r\n'),
        fc.boolean(),
        async (texts, cuts, newline, ends) => {
          const whole = texts.join(newline).toWellFormed() + (ends ? newline : '')
          const expected = whole
            .split('\n')
            .map((text, index) => ({ number: index + 1, text: text.replace(/^\uFEFF/, '').trim() }))
            .filter(({ text }) => text !== '')
          const found = await linesOf(encode(whole), cuts)
          expect(
            found.map((line) => ({ number: line.number, text: 'text' in line ? line.text : '' })),
          ).toEqual(expected)
        },
      ),
    )
  })

  test('a line above the maximum is reported with its size, and the other lines are read', async () => {
    const lines = await linesOf(encode(`a\n${'x'.repeat(50)}\nb\n${'y'.repeat(11)}`), [7, 7, 7], 10)
    expect(lines).toEqual([
      { number: 1, bytes: 1, text: 'a' },
      { number: 2, bytes: 50, unusable: 'has 50 bytes, more than the 10 that --line-bytes allows' },
      { number: 3, bytes: 1, text: 'b' },
      { number: 4, bytes: 11, unusable: 'has 11 bytes, more than the 10 that --line-bytes allows' },
    ])
  })

  test('a line that is not UTF-8 is reported', async () => {
    const lines = await linesOf(new Uint8Array([0x61, 0x0a, 0xff, 0x0a, 0x62]), [])
    expect(lines.map((line) => ('text' in line ? line.text : line.unusable))).toEqual([
      'a',
      'is not UTF-8',
      'b',
    ])
  })
})

describe('sentences', () => {
  test('a text is split into at most 64 sentences, none is empty, and joined they are the text', () => {
    const sign = fc.constantFrom(
      '.',
      '!',
      '?',
      '…',
      '。',
      '？',
      '”',
      ')',
      ' ',
      '\n',
      'a',
      'b',
      '好',
    )
    fc.assert(
      fc.property(fc.string({ unit: sign, maxLength: 400 }), (text) => {
        const parts = sentences(text)
        expect(parts.join('')).toBe(text)
        expect(parts.every((part) => part !== '')).toBe(true)
        expect(parts.length).toBeLessThanOrEqual(64)
      }),
    )
    expect(sentences('Yes. '.repeat(1000))).toHaveLength(64)
  })

  test.each([
    ['What city? Do you have a preferred one?', ['What city? ', 'Do you have a preferred one?']],
    ['It is rated 4.00, at 11:30 a.m.', ['It is rated 4.00, at 11:30 a.m.']],
    ['"Really?!" she said... Yes.', ['"Really?!" ', 'she said... ', 'Yes.']],
    ['都不提供呢。有的！好吗？', ['都不提供呢。', '有的！', '好吗？']],
    ['他说：“好。”然后走了。', ['他说：“好。”', '然后走了。']],
    ['One\n\n- two\n- three', ['One\n\n', '- two\n', '- three']],
    ['  no end', ['  no end']],
  ])('the sentences of %p are %p', (text, parts) => {
    expect(sentences(text)).toEqual(parts)
  })

  test('a text of a million characters is split into sentences within two seconds', () => {
    for (const text of ['.'.repeat(1e6), '." '.repeat(3e5), ' '.repeat(1e6), '\n'.repeat(1e6)])
      expect(sentences(text).join('')).toBe(text)
  }, 2000)
})

describe('ids', () => {
  test('derived ids are UUIDs of version 5, and equal only for the same source and dialogue', () => {
    const a = conversationIdOf('train.jsonl', { id: '7' })
    // These ids are fixed: an import with an older Turnlog made the same ones.
    expect(a).toBe('a2351448-6a5d-560e-88d7-96cc0bd73655')
    expect(idWithin(a, 'turn 0')).toBe('5519ee70-ee6f-5667-82d9-ad385ab90dc7')
    const others = [
      conversationIdOf('train.jsonl', { line: 7 }),
      conversationIdOf('train.jsonl', { id: '8' }),
      conversationIdOf('test.jsonl', { id: '7' }),
      idWithin(a, 'turn 0'),
    ]
    expect(new Set([a, ...others]).size).toBe(5)
  })

  test('an id that is a UUID is kept', () => {
    expect(conversationIdOf('a', { id: '0192F0C1-7C00-7000-8000-000000000001' })).toBe(
      '0192f0c1-7c00-7000-8000-000000000001',
    )
  })
})
