/** Numbers in metadata and traces are kept as they were sent, or refused by their place: over REST and the socket. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Listening } from '../../../src/http/listen.ts'
import { RawSocket } from '../../support/live/raw-socket.ts'
import { type TestApp, testApp } from '../../support/servers/app.ts'
import { until } from '../../support/servers/processes.ts'

let app: TestApp
let server: Listening
let c: string
beforeAll(async () => {
  app = await testApp()
  server = app.listen({ host: '127.0.0.1', port: 0 })
  c = String((await app.ask('POST', '/v1/conversations', {})).body['id'])
})
afterAll(async () => {
  await server.stop(2000)
  await app[Symbol.asyncDispose]()
})

/** Every place for JSON of the caller's own; `X` is what stands there. */
const bodies = [
  ['POST', '', '{"metadata":X}', '/metadata'],
  ['PATCH', '/c', '{"metadata":X}', '/metadata'],
  ['POST', '/c/voice-sessions', '{"metadata":X}', '/metadata'],
  ['POST', '/c/turns', '{"assistant":{"responses":["a"],"metadata":X}}', '/assistant/metadata'],
  [
    'POST',
    '/c/turns',
    '{"user":{"text":"a","metadata":X},"assistant":{"responses":["a"]}}',
    '/user/metadata',
  ],
  [
    'POST',
    '/c/turns/complete',
    '{"assistant":{"responses":["a"],"memoryRetrievalTrace":X}}',
    '/assistant/memoryRetrievalTrace',
  ],
] as const

const send = (method: string, path: string, body: string) =>
  app.ask(method, `/v1/conversations${path.replace('/c', `/${c}`)}`, body, {
    'idempotency-key': 'a',
  })

const nested = (levels: number, json: string) => '['.repeat(levels) + json + ']'.repeat(levels)

describe('over REST', () => {
  test.each(bodies)('%s %s %s refuses what would not be kept', async (method, path, form, at) => {
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
    '%s %s %s refuses 1e400 where no integer is long',
    async (method, path, form, at) => {
      const { status, body } = await send(method, path, form.replace('X', '{"a":[1e400]}'))
      expect([status, body['code']]).toEqual([422, 'number-inexact'])
      expect(body['errors']).toMatchObject([{ pointer: `${at}/a/0` }])
    },
  )

  test('what is kept comes back as it was sent, and -0 is 0', async () => {
    const json =
      '{"a":9007199254740992,"b":100000000000000000000,"c":1716199999123456,"d":[0.1,1e21],"e":-0}'
    const form = '{"assistant":{"responses":["a"],"memoryRetrievalTrace":X}}'
    const { status, text, body } = await app.ask(
      'POST',
      `/v1/conversations/${c}/turns`,
      form.replace('X', json),
    )
    expect(status).toBe(201)
    const kept = json.replace('1e21', '1e+21').replace('-0', '0')
    expect(text).toContain(`"memoryRetrievalTrace":${kept}`)
    const [message] = body['messages'] as { seq: number }[]
    const read = await app.ask(
      'GET',
      `/v1/conversations/${c}/messages?after=${Number(message?.seq) - 1}`,
    )
    expect(read.text).toContain(`"memoryRetrievalTrace":${kept}`)
  })

  test.each(bodies)('%s %s %s refuses 5000 levels around a long integer', async (...one) => {
    const [method, path, form, at] = one
    const json = `{"a":${nested(5000, '12345678901234567890')}}`
    const { status, body } = await send(method, path, form.replace('X', json))
    expect([status, body['code']]).toEqual([422, 'json-too-large'])
    // The body itself is a level, too.
    const levels = '/0'.repeat(32 - `${at}/a`.split('/').length + 1)
    const message = 'nests deeper than 32 levels'
    expect(body['errors']).toEqual([{ in: 'body', pointer: `${at}/a${levels}`, message }])
  })

  test('any other field keeps the check it has', async () => {
    const voice = (seconds: string) =>
      `{"user":{"text":"a","voice":{"durationSeconds":${seconds}}},"assistant":{"responses":["a"]}}`
    for (const seconds of ['12345678901234567890', '1e400']) {
      const { status, body } = await send('POST', '/c/turns', voice(seconds))
      expect([status, body['code']]).toEqual([422, 'field-invalid'])
    }
  })

  test('a text of many digits is a text', async () => {
    const body = {
      user: { text: 'card: 12345678901234567890, 1e400' },
      assistant: { responses: ['a'] },
    }
    expect((await send('POST', '/c/turns', JSON.stringify(body))).status).toBe(201)
  })
})

test('frames refuse what would not be kept, by its place in the frame', async () => {
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
    raw.send(`{"id":"x","c":"${c}",${form.replace('X', '{"a":9007199254740993}')}}`)
    await until('it is answered', () => raw.texts.length > index + 1)
    expect(JSON.parse(raw.texts.at(-1) ?? '')).toMatchObject({
      t: 'problem',
      id: 'x',
      c,
      code: 'number-inexact',
      errors: [{ pointer: `${at}/metadata/a` }],
    })
  }
  expect(raw.closed).toBe(false)
  raw.socket.destroy()
})
