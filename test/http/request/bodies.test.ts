/** Request bodies: accepted media types, the maximum size, and the problems of refused bodies. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { findSyntaxError } from '../../../src/conversation/wire/json/json-syntax.ts'
import { type TestApp, testApp } from '../../support/servers/app.ts'

const maxBytes = 4096
let app: TestApp
let conversation: string
beforeAll(async () => {
  app = await testApp({ overrides: { limits: { turnBytesMax: maxBytes } } })
  conversation = String((await app.ask('POST', '/v1/conversations', {})).body.id)
})
afterAll(() => app[Symbol.asyncDispose]())

const turn = { assistant: { responses: ['Hello!'] } }
const turns = () => `/v1/conversations/${conversation}/turns`
const version = async () => (await app.ask('GET', `/v1/conversations/${conversation}`)).body.version

/** Sends a turn that must be refused, and checks that nothing was written. */
async function refusal(body: string, headers: HeadersInit = {}) {
  const before = await version()
  const answer = await app.ask('POST', turns(), body, headers)
  expect(await version()).toBe(before)
  return answer
}

describe('the media type of a body', () => {
  test('the media type of JSON is accepted with a charset of UTF-8 and in any case', async () => {
    for (const type of [
      'application/json',
      'application/json; charset=utf-8',
      'Application/JSON;charset="UTF-8"',
    ])
      expect((await app.ask('POST', turns(), turn, { 'content-type': type })).status).toBe(201)
  })

  test('a body without a media type is read as JSON, unless the request has an Origin', async () => {
    const bytes = new TextEncoder().encode(JSON.stringify(turn))
    const request = new Request(`http://turnlog.test${turns()}`, { method: 'POST', body: bytes })
    expect(request.headers.get('content-type')).toBeNull()
    expect((await app.fetch(request)).status).toBe(201)
    // A web page can send such a request without a preflight.
    const headers = { origin: 'http://localhost:5173' }
    const page = new Request(request.url, { method: 'POST', body: bytes, headers })
    expect((await app.fetch(page)).status).toBe(415)
  })

  test('a body of an unsupported media type is refused with a 415 whose detail names the right type', async () => {
    for (const type of [
      'application/x-www-form-urlencoded',
      'text/plain',
      'multipart/form-data; boundary=x',
      'application/merge-patch+json',
      'application/jsonx',
      '',
      'json',
    ]) {
      const { status, body } = await refusal(JSON.stringify(turn), { 'content-type': type })
      expect([type, status, body.code]).toEqual([type, 415, 'media-type-unsupported'])
      expect(body.detail).toContain('Content-Type: application/json')
    }
  })

  test('PATCH accepts the media type of a JSON Merge Patch', async () => {
    const answer = await app.ask(
      'PATCH',
      `/v1/conversations/${conversation}`,
      { title: 'a' },
      {
        'content-type': 'application/merge-patch+json',
      },
    )
    expect(answer.body.title).toBe('a')
  })

  test('a body in another charset or with a content encoding is refused with 415', async () => {
    const body = JSON.stringify(turn)
    const latin = await refusal(body, { 'content-type': 'application/json; charset=latin1' })
    expect(latin.body.code).toBe('media-type-unsupported')
    const gzip = await refusal(body, {
      'content-type': 'application/json',
      'content-encoding': 'gzip',
    })
    expect(gzip.body.code).toBe('media-type-unsupported')
    const identity = { 'content-type': 'application/json', 'content-encoding': 'identity' }
    expect((await app.ask('POST', turns(), turn, identity)).status).toBe(201)
  })
})

describe('the size of a body', () => {
  const padded = (bytes: number) => {
    const text = JSON.stringify(turn)
    return `${text}${' '.repeat(bytes - text.length)}`
  }

  /** A request whose body is streamed in chunks of 100 bytes, without a Content-Length. */
  const streamed = (text: string, headers: Record<string, string> = {}) => {
    let at = 0
    let pulled = 0
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (at >= text.length) return controller.close()
        pulled += 1
        controller.enqueue(new TextEncoder().encode(text.slice(at, at + 100)))
        at += 100
      },
    })
    const request = new Request(`http://turnlog.test${turns()}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
    })
    return { request, pulled: () => pulled }
  }

  test('a body of exactly the maximum size is accepted, and one byte more is a 413', async () => {
    expect((await app.ask('POST', turns(), padded(maxBytes))).status).toBe(201)
    const { status, body } = await refusal(padded(maxBytes + 1))
    expect([status, body.code]).toEqual([413, 'body-too-large'])
    expect(body.detail).toContain('4096 bytes at most (limits.turnBytesMax)')
  })

  test('a body without a Content-Length is refused as soon as it exceeds the maximum', async () => {
    for (const headers of [{}, { 'content-length': 'x' }]) {
      const { request, pulled } = streamed(padded(1_000_000), headers)
      const response = await app.fetch(request)
      expect(response.status).toBe(413)
      expect(pulled()).toBeLessThan(60)
    }
    expect((await app.fetch(streamed(padded(maxBytes)).request)).status).toBe(201)
  })

  test('a body larger than its Content-Length and than the maximum is refused with 413', async () => {
    const { request } = streamed(padded(1_000_000), { 'content-length': '10' })
    expect((await app.fetch(request)).status).toBe(413)
  })

  test('a body whose Content-Length exceeds the maximum is refused without being read', async () => {
    const { request, pulled } = streamed(padded(1000), { 'content-length': '1000000' })
    expect((await app.fetch(request)).status).toBe(413)
    expect(pulled()).toBeLessThan(2)
  })

  test('a body that breaks off is a 400, and nothing is logged', async () => {
    const body = new ReadableStream({ pull: (controller) => controller.error(new Error('gone')) })
    const request = new Request(`http://turnlog.test${turns()}`, { method: 'POST', body })
    const response = await app.fetch(request)
    expect(response.status).toBe(400)
    expect(await response.text()).toContain('broke off')
    expect(app.log).toEqual([])
  })

  test('the body of a GET or a DELETE is ignored', async () => {
    const path = String((await app.ask('POST', '/v1/conversations', {})).headers.get('location'))
    for (const method of ['GET', 'DELETE']) {
      const request = new Request(`http://turnlog.test${path}`, {
        method: 'DELETE',
        body: 'x'.repeat(10_000),
      })
      // The constructor refuses a body on GET; a server does not.
      Object.defineProperty(request, 'method', { value: method })
      expect((await app.fetch(request)).status).toBe(200)
    }
  })

  test('an absent or empty body is a 400, except where the body is optional', async () => {
    const segments = `/v1/conversations/${conversation}/segments`
    for (const headers of [{}, { 'content-type': 'application/json' }])
      expect((await app.ask('POST', segments, undefined, headers)).status).toBe(201)
    expect((await app.ask('POST', segments, '')).status).toBe(201)
    expect((await app.ask('POST', segments, '{}', { 'content-type': 'text/plain' })).status).toBe(
      415,
    )
    expect((await app.ask('POST', segments, 'null')).status).toBe(422)
    const empty = await app.ask('POST', '/v1/conversations')
    expect([empty.status, empty.body.code]).toEqual([400, 'body-not-json'])
    expect(empty.body.detail).toContain('empty')
  })
})

describe('the text of a body', () => {
  test('a body that is not UTF-8 is refused with 400', async () => {
    for (const bytes of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0x80]]) {
      const open = new TextEncoder().encode('{"assistant":{"responses":["')
      const body = new Uint8Array([...open, ...bytes, ...new TextEncoder().encode('"]}}')])
      const request = new Request(`http://turnlog.test${turns()}`, { method: 'POST', body })
      const response = await app.fetch(request)
      expect(response.status).toBe(400)
      expect(await response.text()).toContain('not UTF-8')
    }
  })

  test('a body that is not JSON is a 400 whose detail names line and column, but no content', async () => {
    const { status, body, text } = await refusal('{\n  "user": {"text": "secret"},\n  oops: 1}')
    expect([status, body.code]).toEqual([400, 'body-not-json'])
    expect(body.detail).toBe(
      'The body is not JSON at line 3, column 3 (character 34): a name in double quotes is expected there.',
    )
    expect(text).not.toMatch(/secret|oops/)
  })

  test('a body nested thousands of levels deep is refused, and nothing is logged', async () => {
    const depth = 1900
    const deep = [
      '['.repeat(depth) + ']'.repeat(depth),
      '['.repeat(depth * 2),
      `{"metadata":${'['.repeat(depth)}${']'.repeat(depth)}}`,
      `{"assistant":{"responses":["a"],"metadata":${'{"a":'.repeat(600)}1${'}'.repeat(600)}}}`,
    ]
    for (const body of deep) {
      const { status } = await refusal(body)
      expect(status).toBeOneOf([400, 422])
    }
    await using roomy = await testApp({ overrides: { limits: { turnBytesMax: 1_048_576 } } })
    for (const body of ['['.repeat(500_000) + ']'.repeat(500_000), '{"a":'.repeat(200_000)]) {
      const { status } = await roomy.ask('POST', '/v1/conversations', body)
      expect(status).toBe(413)
    }
    expect(roomy.log).toEqual([])
  })

  test('the scanner of JSON errors accepts exactly the texts that JSON.parse accepts', () => {
    const fragment = fc.oneof(
      fc.constantFrom(
        ...Array.from('{}[]:,"0123-.eE \n\\u/tfn'),
        'true',
        'null',
        '"a"',
        '1.5e3',
        '\u0001',
        '\u{1f600}',
      ),
    )
    const nearlyJson = fc
      .tuple(fc.json({ maxDepth: 4 }), fc.nat(), fragment)
      .map(([json, at, piece]) => {
        const index = at % (json.length + 1)
        return json.slice(0, index) + piece + json.slice(index + (at % 2))
      })
    fc.assert(
      fc.property(
        fc.oneof(
          nearlyJson,
          fc.array(fragment).map((all) => all.join('')),
        ),
        (text) => {
          let valid = true
          try {
            JSON.parse(text)
          } catch {
            valid = false
          }
          // In valid JSON the scanner finds no error before the end of the text.
          const found = findSyntaxError(text)
          const wholeRead =
            found.startsWith('The body ends') &&
            found.endsWith('where the end of the body is expected.')
          expect(wholeRead).toBe(valid)
        },
      ),
      { numRuns: 2000 },
    )
  })
})
