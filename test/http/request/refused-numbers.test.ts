/**
 * Numbers in metadata and traces are stored exactly as sent, or refused: over REST and over the
 * socket.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Listening } from '../../../src/http/listen.ts'
import { RawSocket } from '../../support/live/raw-socket.ts'
import { type TestApp, testApp } from '../../support/servers/app.ts'
import { until } from '../../support/servers/processes.ts'

let app: TestApp
let server: Listening
let conversationId: string
beforeAll(async () => {
  app = await testApp()
  server = app.listen({ host: '127.0.0.1', port: 0 })
  conversationId = String((await app.ask('POST', '/v1/conversations', {})).body['id'])
})
afterAll(async () => {
  await server.stop(2000)
  await app[Symbol.asyncDispose]()
})

/**
 * Every field for the caller's own JSON: method, path, body with `X` for the JSON, and its pointer.
 */
const bodies = [
  ['POST', '', '{"metadata":X}', '/metadata'],
  ['PATCH', '/:id', '{"metadata":X}', '/metadata'],
  ['POST', '/:id/voice-sessions', '{"metadata":X}', '/metadata'],
  ['POST', '/:id/turns', '{"assistant":{"responses":["a"],"metadata":X}}', '/assistant/metadata'],
  [
    'POST',
    '/:id/turns',
    '{"user":{"text":"a","metadata":X},"assistant":{"responses":["a"]}}',
    '/user/metadata',
  ],
  [
    'POST',
    '/:id/turns/complete',
    '{"assistant":{"responses":["a"],"memoryRetrievalTrace":X}}',
    '/assistant/memoryRetrievalTrace',
  ],
] as const

const send = (method: string, path: string, body: string) =>
  app.ask(method, `/v1/conversations${path.replace('/:id', `/${conversationId}`)}`, body, {
    'idempotency-key': 'a',
  })

const nested = (levels: number, json: string) => '['.repeat(levels) + json + ']'.repeat(levels)

describe('a number in REST bodies', () => {
  test.each(bodies)('%s %s %s refuses numbers that a double rounds', async (...one) => {
    const [method, path, form, at] = one
    const json = '{"a":[1,12345678901234567890],"b":{"c/d":1.0e400},"e":9007199254740992}'
    const { status, body } = await send(method, path, form.replace('X', json))
    expect([status, body['code']]).toEqual([422, 'number-inexact'])
    expect(body['errors']).toEqual([
      {
        in: 'body',
        pointer: `${at}/a/1`,
        message: 'has more digits than a double can store. Send it as a string.',
      },
      { in: 'body', pointer: `${at}/b/c~1d`, message: 'is past the range of a double' },
    ])
  })

  test.each(bodies)(
    '%s %s %s refuses 1e400 in JSON without long integers',
    async (method, path, form, at) => {
      const { status, body } = await send(method, path, form.replace('X', '{"a":[1e400]}'))
      expect([status, body['code']]).toEqual([422, 'number-inexact'])
      expect(body['errors']).toMatchObject([{ pointer: `${at}/a/0` }])
    },
  )

  test('accepted numbers are returned as they were sent, except that -0 becomes 0', async () => {
    const json =
      '{"a":9007199254740992,"b":100000000000000000000,"c":1716199999123456,"d":[0.1,1e21],"e":-0}'
    const form = '{"assistant":{"responses":["a"],"memoryRetrievalTrace":X}}'
    const { status, text, body } = await app.ask(
      'POST',
      `/v1/conversations/${conversationId}/turns`,
      form.replace('X', json),
    )
    expect(status).toBe(201)
    const stored = json.replace('1e21', '1e+21').replace('-0', '0')
    expect(text).toContain(`"memoryRetrievalTrace":${stored}`)
    const [message] = body['messages'] as { seq: number }[]
    const read = await app.ask(
      'GET',
      `/v1/conversations/${conversationId}/messages?after=${Number(message?.seq) - 1}`,
    )
    expect(read.text).toContain(`"memoryRetrievalTrace":${stored}`)
  })

  test.each(bodies)('%s %s %s refuses 5000 levels around a long integer', async (...one) => {
    const [method, path, form, at] = one
    const json = `{"a":${nested(5000, '12345678901234567890')}}`
    const { status, body } = await send(method, path, form.replace('X', json))
    expect([status, body['code']]).toEqual([422, 'json-too-large'])
    // The body itself counts as a level.
    const levels = '/0'.repeat(32 - `${at}/a`.split('/').length + 1)
    const message = 'nests deeper than 32 levels'
    expect(body['errors']).toEqual([{ in: 'body', pointer: `${at}/a${levels}`, message }])
  })

  test('a number in any other field is refused with field-invalid', async () => {
    const voice = (seconds: string) =>
      `{"user":{"text":"a","voice":{"durationSeconds":${seconds}}},"assistant":{"responses":["a"]}}`
    for (const seconds of ['12345678901234567890', '1e400']) {
      const { status, body } = await send('POST', '/:id/turns', voice(seconds))
      expect([status, body['code']]).toEqual([422, 'field-invalid'])
    }
  })

  test('digits inside a JSON string are never refused as an inexact number', async () => {
    const body = {
      user: { text: 'card: 12345678901234567890, 1e400' },
      assistant: { responses: ['a'] },
    }
    expect((await send('POST', '/:id/turns', JSON.stringify(body))).status).toBe(201)
  })
})

test('a frame with a number that a double rounds gets a problem with its pointer', async () => {
  const raw = await RawSocket.open(server.url, '/v1/live')
  const frames = [
    [
      '"t":"record","turn":{"user":{"text":"a","metadata":X},"assistant":{"responses":["a"]}}',
      '/turn/user',
    ],
    ['"t":"turn.complete","key":"k","assistant":{"responses":["a"],"metadata":X}', '/assistant'],
    ['"t":"voice.start","metadata":X', ''],
  ] as const
  for (const [index, [form, at]] of frames.entries()) {
    raw.send(`{"id":"x","c":"${conversationId}",${form.replace('X', '{"a":9007199254740993}')}}`)
    await until('it is answered', () => raw.texts.length > index + 1)
    expect(JSON.parse(raw.texts.at(-1) ?? '')).toMatchObject({
      t: 'problem',
      id: 'x',
      c: conversationId,
      code: 'number-inexact',
      errors: [{ pointer: `${at}/metadata/a` }],
    })
  }
  expect(raw.closed).toBe(false)
  raw.socket.destroy()
})
