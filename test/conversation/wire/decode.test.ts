import { describe, expect, test } from 'bun:test'
import { Decoder } from '../../../src/conversation/wire/decode.ts'
import { Problem, type ProblemCode } from '../../../src/problem.ts'

const decoder = new Decoder({
  partsMax: 64,
  traceBytesMax: 65536,
  metadataBytesMax: 16384,
  jsonDepthMax: 32,
  urlsMax: 64,
  aheadSecondsMax: 300,
})

const id = '0193581e-0000-7000-8000-000000000001'
const turn = (change: object = {}) => ({
  user: { text: 'hi' },
  assistant: { responses: ['hello'] },
  ...change,
})
const assistant = (change: object) => turn({ assistant: { responses: ['hello'], ...change } })
const user = (change: object) => turn({ user: { text: 'hi', ...change } })
const nested = (levels: number): unknown => (levels === 0 ? 1 : { a: nested(levels - 1) })
const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString()

/** The problem with which the decoder refuses a parsed body. */
const problemOf = (name: keyof Decoder, body: unknown): Problem => {
  try {
    decoder[name](body)
  } catch (error) {
    if (error instanceof Problem) return error
    throw error
  }
  throw new Error('the body was accepted')
}

describe('Decoder.turn', () => {
  test.each<[string, unknown, ProblemCode, string]>([
    ['that is a list', [], 'field-invalid', ''],
    ['that is null', null, 'field-invalid', ''],
    ['without an assistant', { user: { text: 'hi' } }, 'field-missing', '/assistant'],
    ['without responses', turn({ assistant: {} }), 'field-missing', '/assistant/responses'],
    ['with a text that is a number', user({ text: 1 }), 'field-invalid', '/user/text'],
    [
      'with a response that is null',
      assistant({ responses: [null] }),
      'field-invalid',
      '/assistant/responses/0',
    ],
    ['with an unknown field', turn({ usr: 1 }), 'field-unknown', '/usr'],
    [
      'with an unknown field inside another',
      user({ 'a/b~c': 1 }),
      'field-unknown',
      '/user/a~1b~0c',
    ],
    ['with NUL in a text', user({ text: 'a\0b' }), 'text-invalid', '/user/text'],
    [
      'with a lone surrogate in a response',
      assistant({ responses: ['ok', 'a\ud800'] }),
      'text-invalid',
      '/assistant/responses/1',
    ],
    [
      'with NUL in the name of a metadata member',
      user({ metadata: { a: { 'b\0': 1 } } }),
      'text-invalid',
      '/user/metadata/a',
    ],
    [
      'with a lone surrogate in its trace',
      assistant({ memoryRetrievalTrace: { a: ['\udc00'] } }),
      'text-invalid',
      '/assistant/memoryRetrievalTrace/a/0',
    ],
    ['with an id that is not a UUID', user({ id: 'abc' }), 'id-invalid', '/user/id'],
    ['with a URN for an id', user({ id: `urn:uuid:${id}` }), 'id-invalid', '/user/id'],
    [
      'with a segment id that is not a UUID',
      turn({ segment: { id: '7' } }),
      'id-invalid',
      '/segment/id',
    ],
    [
      'with one id for both messages',
      { ...user({ id }), assistant: { id, responses: ['a'] } },
      'id-taken',
      '/assistant/id',
    ],
    ['with a word for a time', user({ at: 'yesterday' }), 'time-invalid', '/user/at'],
    [
      'with the year 10000',
      assistant({ at: '10000-01-01T00:00:00Z' }),
      'time-invalid',
      '/assistant/at',
    ],
    ['with a time as a number', user({ at: 1 }), 'field-invalid', '/user/at'],
    ['with a time 301 s in the future', user({ at: inSeconds(302) }), 'time-ahead', '/user/at'],
    [
      'with 65 parts after splitting',
      assistant({ responses: [Array(33).fill('a').join('[SPLIT]'), ...Array(32).fill('b')] }),
      'parts-too-many',
      '/assistant/responses',
    ],
    [
      'with 65 audio URLs',
      assistant({ ttsAudioUrls: Array(65).fill('https://a.example/1') }),
      'urls-too-many',
      '/assistant/ttsAudioUrls',
    ],
    [
      'with an ftp URL',
      assistant({ ttsAudioUrls: ['ftp://a.example/1'] }),
      'url-invalid',
      '/assistant/ttsAudioUrls/0',
    ],
    [
      'with an incomplete URL',
      assistant({ ttsAudioUrls: ['https://'] }),
      'url-invalid',
      '/assistant/ttsAudioUrls/0',
    ],
    [
      'with metadata over its bound',
      user({ metadata: { a: 'x'.repeat(16384) } }),
      'json-too-large',
      '/user/metadata',
    ],
    [
      'with a trace over its bound',
      assistant({ memoryRetrievalTrace: { a: 'x'.repeat(65536) } }),
      'json-too-large',
      '/assistant/memoryRetrievalTrace',
    ],
    ['with metadata that is a list', user({ metadata: [] }), 'field-invalid', '/user/metadata'],
    [
      'with a number past the range of a double',
      user({ metadata: JSON.parse('{"a":1e999}') }),
      'number-inexact',
      '/user/metadata/a',
    ],
    [
      'with a duration past the range of a double',
      user({ voice: { durationSeconds: JSON.parse('1e999') } }),
      'field-invalid',
      '/user/voice/durationSeconds',
    ],
    ['with an empty text and no voice', user({ text: '' }), 'field-invalid', '/user/text'],
    [
      'with a duration of half a second',
      user({ voice: { durationSeconds: 1.5 } }),
      'field-invalid',
      '/user/voice/durationSeconds',
    ],
    [
      'with a duration of more than 32 bits',
      user({ voice: { durationSeconds: 2147483648 } }),
      'field-invalid',
      '/user/voice/durationSeconds',
    ],
    [
      'that completes a segment without a human message',
      { assistant: { responses: ['a'] }, segment: { id, agentResponse: 'a' } },
      'segment-without-user',
      '/segment/agentResponse',
    ],
  ])('a turn %s is refused', (_, body, code, pointer) => {
    const problem = problemOf('turn', body)
    expect(problem.code).toBe(code)
    expect(problem.violations.map((one) => one.pointer)).toEqual([pointer])
    expect(problem.status).toBeGreaterThanOrEqual(400)
    expect(problem.status).toBeLessThan(500)
  })

  test('a problem names every location of a turn that breaks a rule', () => {
    const problem = problemOf('turn', {
      user: { id: 'x', text: 'hi', at: 'y' },
      assistant: { responses: [], ttsAudioUrls: ['z'] },
    })
    expect(problem.code).toBe('request-invalid')
    expect(problem.violations.map(({ pointer, code }) => [pointer, code])).toEqual([
      ['/user/id', 'id-invalid'],
      ['/user/at', 'time-invalid'],
      ['/assistant/ttsAudioUrls/0', 'url-invalid'],
    ])
  })

  test('a deeply nested turn is refused without exhausting the stack', () => {
    const text = `{"assistant":{"responses":["a"],"metadata":${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}}}`
    const problem = problemOf('turn', JSON.parse(text))
    expect(problem.code).toBe('json-too-large')
  })

  test('a body with any number of unknown fields is refused, also if they hide other violations', () => {
    const junk = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, n) => [`junk${n}`, n]))
    for (let count = 1; count <= 600; count = count < 30 ? count + 1 : count * 2) {
      const body = { user: { text: 5 }, assistant: { responses: 5 }, ...junk(count) }
      const problem = problemOf('turn', body)
      expect(problem.violations.length).toBeGreaterThan(0)
      if (count < 40)
        expect(new Set(problem.violations.map(({ code }) => code))).toEqual(
          new Set(['field-unknown', 'field-invalid']),
        )
      for (const name of ['conversation', 'conversationPatch', 'segment', 'attach'] as const)
        expect(problemOf(name, { ttsAudioUrls: [], ...junk(count) }).status).toBe(422)
    }
  })

  test('a problem has pointers of bounded length for names of any length', () => {
    const body = { ['漢'.repeat(40_000)]: Array(1000).fill('\0'), assistant: { responses: ['a'] } }
    const problem = problemOf('turn', body)
    expect(problem.violations).toHaveLength(50)
    expect(JSON.stringify(problem.body()).length).toBeLessThan(50_000)
  })

  test('a problem names at most fifty locations', () => {
    const problem = problemOf('turn', assistant({ responses: Array(500).fill('\0') }))
    expect(problem.violations).toHaveLength(50)
  })
})

describe('an accepted turn', () => {
  test('a turn at every bound is accepted', () => {
    const taken = decoder.turn({
      user: {
        text: '',
        voice: { durationSeconds: -1 },
        at: inSeconds(295),
        metadata: { a: 'x'.repeat(16384 - 8) },
      },
      assistant: {
        responses: [Array(64).fill('a').join('[SPLIT]')],
        ttsAudioUrls: [null, ...Array(63).fill('http://a.example/1')],
        metadata: nested(30),
      },
    })
    expect(taken.assistant.responses).toHaveLength(64)
  })

  test('an accepted turn has its responses split, and nothing else is changed', () => {
    const body = {
      user: { id: id.toUpperCase(), text: 'a[SPLIT]b', metadata: JSON.parse('{"__proto__":1}') },
      assistant: { responses: ['hello[SPLIT]', '', 'you'], memoryRetrievalTrace: { lookups: [] } },
      segment: { id, agentResponse: 'x' },
    }
    const taken = decoder.turn(body)
    expect(JSON.stringify(taken)).toBe(
      JSON.stringify({ ...body, assistant: { ...body.assistant, responses: ['hello', 'you'] } }),
    )
  })

  test('a turn without parts is accepted, because the store answers it', () => {
    expect(decoder.turn(assistant({ responses: ['[SPLIT]', ''] })).assistant.responses).toEqual([])
  })
})

describe('Decoder.attach', () => {
  test.each<[string, unknown, ProblemCode, string]>([
    ['without a URL', {}, 'field-missing', '/ttsAudioUrls'],
    ['for a part without its URL', { part: 0 }, 'field-missing', '/ttsAudioUrl'],
    ['with a URL and no part', { ttsAudioUrl: 'http://a.example' }, 'field-missing', '/part'],
    [
      'in both forms at once',
      { part: 0, ttsAudioUrl: 'http://a.example', ttsAudioUrls: [] },
      'field-unknown',
      '/ttsAudioUrls',
    ],
    ['for part -1', { part: -1, ttsAudioUrl: 'http://a.example' }, 'field-invalid', '/part'],
    [
      'with a mail address for a URL',
      { ttsAudioUrls: ['mailto:a@b'] },
      'url-invalid',
      '/ttsAudioUrls/0',
    ],
    ['with a number for its URLs', { ttsAudioUrls: 7 }, 'field-invalid', '/ttsAudioUrls'],
    ['with 65 URLs', { ttsAudioUrls: Array(65).fill(null) }, 'urls-too-many', '/ttsAudioUrls'],
    [
      'with a segment id that is not a UUID',
      { ttsAudioUrls: [], segmentId: 's' },
      'id-invalid',
      '/segmentId',
    ],
  ])('audio %s is refused', (_, body, code, pointer) => {
    const problem = problemOf('attach', body)
    expect(problem.code).toBe(code)
    expect(problem.violations.map((one) => one.pointer)).toEqual([pointer])
  })
})

describe('Decoder.conversation', () => {
  test.each<[string, unknown, ProblemCode, string]>([
    [
      'with metadata that Postgres prints longer than its bound',
      { metadata: { a: Array(60).fill(1e300) } },
      'json-too-large',
      '/metadata',
    ],
    ['with an empty external id', { externalId: '' }, 'field-invalid', '/externalId'],
    ['with an id of 7', { id: 7 }, 'field-invalid', '/id'],
    ['with NUL in its title', { title: '\0' }, 'text-invalid', '/title'],
    [
      'with metadata over its bound',
      { metadata: { a: 'é'.repeat(8192) } },
      'json-too-large',
      '/metadata',
    ],
  ])('a conversation %s is refused', (_, body, code, pointer) => {
    const problem = problemOf('conversation', body)
    expect(problem.code).toBe(code)
    expect(problem.violations.map((one) => one.pointer)).toEqual([pointer])
  })

  test('a patch of the id of a conversation is refused', () => {
    expect(problemOf('conversationPatch', { id }).code).toBe('field-unknown')
  })
})
