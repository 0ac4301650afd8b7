/**
 * Access control: the host names that the service answers under, and the web pages that may use it.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { ConfigOverrides } from '../../../src/config.ts'
import { createEvents } from '../../../src/events.ts'
import type { Listening } from '../../../src/http/listen.ts'
import { RawSocket, rawAnswer } from '../../support/live/raw-socket.ts'
import { type Document, documentOf, type TestApp, testApp } from '../../support/servers/app.ts'

const stack = new AsyncDisposableStack()
type Server = TestApp & Listening

/** A server that listens on loopback, whatever `server.host` is. */
async function serve(overrides: ConfigOverrides): Promise<Server> {
  const app = stack.use(await testApp({ overrides }))
  const listening = app.listen({ host: '127.0.0.1', port: 0 })
  stack.defer(() => listening.stop(0))
  return { ...app, ...listening }
}

const everywhere = { host: '0.0.0.0', allowedOrigins: 'https://app.example' }

/** A server on loopback with the default settings. */
let loopback: Server
/** A server on loopback with a host name and an origin in the settings. */
let configured: Server
/** A server on other addresses, without `server.allowedHosts`. */
let unlisted: Server
/** A server on other addresses, with `server.allowedHosts`. */
let hostListed: Server
/** A server on loopback with `*` for hosts and origins. */
let wildcard: Server
beforeAll(async () => {
  loopback = await serve({})
  const auth = { mode: 'none' } as const
  configured = await serve({
    server: { allowedHosts: 'Turnlog.Example, ::1', allowedOrigins: 'https://app.example:443' },
  })
  unlisted = await serve({ auth, server: everywhere })
  hostListed = await serve({ auth, server: { ...everywhere, allowedHosts: 'localhost' } })
  wildcard = await serve({ server: { allowedOrigins: '*', allowedHosts: '*' } })
}, 60_000)
afterAll(() => stack.disposeAsync())

const conversations = '/v1/conversations'
const upgrade = {
  upgrade: 'websocket',
  connection: 'Upgrade',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  'sec-websocket-version': '13',
}

type RequestParts = {
  method?: string
  host?: string | null
  headers?: Record<string, string>
  body?: string
}

/**
 * Sends a request over a raw connection. A host of null sends no Host header; `host` may contain
 * more lines.
 */
async function ask(server: Server, path: string, parts: RequestParts = {}) {
  const { method = 'GET', host = 'localhost', headers = {}, body = '' } = parts
  const lines = [
    `${method} ${path} HTTP/1.${host === null ? 0 : 1}`,
    ...(host === null ? [] : [`Host: ${host}`]),
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ...(body === '' ? [] : [`content-length: ${Buffer.byteLength(body)}`]),
  ]
  const answer = await rawAnswer(server.url, `${lines.join('\r\n')}\r\n\r\n${body}`)
  const isJson = /json/.test(answer.headers.get('content-type') ?? '')
  return { ...answer, body: isJson && answer.text !== '' ? JSON.parse(answer.text) : {} }
}

const outcome = ({ status, body }: { status: number; body: { code?: string } }) =>
  body.code === undefined ? status : `${status} ${body.code}`

const create = async (server: Server) =>
  String((await server.ask('POST', conversations, {})).body['id'])

describe('the Host header', () => {
  const foreign = [
    'evil.example',
    'evil.example:3000',
    '0.0.0.0',
    '10.0.0.1',
    'localhost.evil.example',
  ]
  const own = [
    'localhost',
    'LOCALHOST:3000',
    'localhost.',
    'app.localhost:5173',
    '127.0.0.1:80',
    '127.9.9.9',
    '127.1',
    '[::1]:3000',
    'localhost:',
  ]

  test('a Host that is not loopback is refused with host-refused by a service on loopback without auth', async () => {
    const conversationId = await create(loopback)
    for (const host of foreign) {
      expect([host, outcome(await ask(loopback, conversations, { host }))]).toEqual([
        host,
        '421 host-refused',
      ])
      const erasure = await ask(loopback, `${conversations}/${conversationId}`, {
        method: 'DELETE',
        host,
      })
      expect([host, outcome(erasure)]).toEqual([host, '421 host-refused'])
      expect(erasure.body.detail + JSON.stringify(erasure.body)).not.toContain(host)
      const socket = await ask(loopback, '/v1/live', { host, headers: upgrade })
      expect([host, outcome(socket)]).toEqual([host, '421 host-refused'])
    }
    for (const host of own)
      expect([
        host,
        outcome(await ask(loopback, `${conversations}/${conversationId}`, { host })),
      ]).toEqual([host, 200])
    for (const server of [loopback, hostListed]) {
      const { body } = await ask(server, conversations, { host: 'evil.example' })
      expect(body.detail).toContain('server.allowedHosts')
    }
    const help = await loopback.ask('GET', '/problems/host-refused')
    expect(help.text).toContain('server.allowedHosts')
  })

  test('/healthz and /readyz are answered under any Host', async () => {
    for (const server of [loopback, hostListed])
      for (const path of ['/healthz', '/readyz', '/readyz/'])
        expect(outcome(await ask(server, path, { host: 'node-7.cluster' }))).toBe(200)
    expect(outcome(await ask(loopback, '/', { host: 'node-7.cluster' }))).toBe('421 host-refused')
  })

  test('a Host that server.allowedHosts names is answered, with any port', async () => {
    for (const host of ['turnlog.example', 'TURNLOG.example.:8080', '[::1]', '127.0.0.1'])
      expect([host, outcome(await ask(configured, conversations, { host }))]).toEqual([host, 200])
    expect(outcome(await ask(configured, conversations, { host: 'evil.example' }))).toBe(
      '421 host-refused',
    )
    expect(outcome(await ask(wildcard, conversations, { host: 'evil.example' }))).toBe(200)
  })

  test('a service that listens on all addresses answers any Host unless server.allowedHosts is set', async () => {
    expect(outcome(await ask(unlisted, conversations, { host: 'evil.example' }))).toBe(200)
    expect(outcome(await ask(hostListed, conversations, { host: 'evil.example' }))).toBe(
      '421 host-refused',
    )
    expect(outcome(await ask(hostListed, conversations, { host: 'localhost:3000' }))).toBe(200)
    for (const host of ['127.0.0.1', '[::1]:3000', 'app.localhost'])
      expect([host, outcome(await ask(hostListed, conversations, { host }))]).toEqual([
        host,
        '421 host-refused',
      ])
  })

  test('a malformed Host is refused with 400 host-invalid before routing', async () => {
    const conversationId = await create(unlisted)
    for (const server of [loopback, unlisted])
      for (const host of [
        'a b',
        'u:p@h',
        'a/b',
        'a:99999',
        'a:b',
        '[::1',
        '::1',
        'a?b',
        'a#b',
        '%61',
        'a, b',
        '/',
        'é',
      ]) {
        const answers = [
          await ask(server, '/healthz', { host }),
          await ask(server, '/nowhere', { host }),
          await ask(server, `/aaaaaa${conversations}/${conversationId}`, {
            method: 'DELETE',
            host,
          }),
        ]
        expect([host, ...answers.map(outcome)]).toEqual([
          host,
          ...Array(3).fill('400 host-invalid'),
        ])
      }
    expect((await unlisted.ask('GET', `${conversations}/${conversationId}`)).status).toBe(200)
  })

  test('two Host headers are refused with 400 host-invalid', async () => {
    for (const host of ['localhost\r\nHost: localhost', 'localhost\r\nHost: evil.example'])
      expect(outcome(await ask(loopback, conversations, { host }))).toBe('400 host-invalid')
  })

  test('a request with an empty or absent Host is routed like any other', async () => {
    for (const host of ['', null]) {
      const conversationId = await create(loopback)
      expect(outcome(await ask(loopback, '/healthz', { host }))).toBe(200)
      expect(outcome(await ask(loopback, `${conversations}?limit=1`, { host }))).toBe(200)
      for (const path of [
        `/aaaaaa${conversations}/${conversationId}`,
        `/aaaaaa/x/..${conversations}/${conversationId}`,
      ])
        expect(outcome(await ask(loopback, path, { method: 'DELETE', host }))).toBe(
          '404 route-not-found',
        )
      const turn = JSON.stringify({ assistant: { responses: ['é'.repeat(5000)] } })
      const json = { 'content-type': 'application/json' }
      const sent = { method: 'POST', host, headers: json, body: turn }
      expect(outcome(await ask(loopback, `${conversations}/${conversationId}/turns`, sent))).toBe(
        201,
      )
      expect(
        outcome(await ask(loopback, `${conversations}/${conversationId}/nope`, { host })),
      ).toBe('404 route-not-found')
      expect(
        outcome(await ask(loopback, `${conversations}/${conversationId}`, { method: 'PUT', host })),
      ).toBe('405 method-not-allowed')
      expect(
        outcome(
          await ask(loopback, `${conversations}/${conversationId}`, { method: 'DELETE', host }),
        ),
      ).toBe(200)
    }
  })

  test('a request passed to app.fetch needs no Host, over http and https', async () => {
    for (const base of ['http://turnlog.test', 'https://turnlog.test', 'https://x', 'http://x'])
      expect((await loopback.fetch(new Request(`${base}${conversations}`))).status).toBe(200)
    const headers = { host: 'evil.example' }
    const mounted = new Request(`https://evil.example${conversations}`, { headers })
    expect((await loopback.fetch(mounted)).status).toBe(421)
  })

  test('refused Hosts are logged, at most three lines a minute', async () => {
    await using own = await testApp()
    for (let n = 0; n < 20; n += 1)
      await own.fetch(new Request(`http://x/?${n}`, { headers: { host: 'evil.example' } }))
    const lines = own.log.map((line) => JSON.parse(line))
    expect(lines).toHaveLength(3)
    expect(lines[0]).toMatchObject({
      event: 'host-refused',
      host: 'evil.example',
      setting: 'server.allowedHosts',
    })
  })
})

describe('a web page', () => {
  const page = (origin: string, more: Record<string, string> = {}) => ({ origin, ...more })
  const preflight = (origin: string, method: string) =>
    page(origin, {
      'access-control-request-method': method,
      'access-control-request-headers': 'content-type,idempotency-key',
    })
  const json = { 'content-type': 'application/json' }
  const localPages = [
    'http://localhost:5173',
    'https://localhost',
    'http://127.0.0.1:8000',
    'http://[::1]:1',
    'http://app.localhost:3',
  ]
  const foreignPages = [
    'https://evil.example',
    'null',
    'http://localhost.evil.example',
    'file://',
    'x',
  ]

  test('a page of localhost may do everything if the service listens on loopback', async () => {
    const conversationId = await create(loopback)
    for (const origin of localPages) {
      const read = await ask(loopback, `${conversations}/${conversationId}`, {
        headers: page(origin),
      })
      expect([origin, read.status, read.headers.get('access-control-allow-origin')]).toEqual([
        origin,
        200,
        origin,
      ])
      const created = await ask(loopback, conversations, {
        method: 'POST',
        headers: page(origin, json),
        body: '{}',
      })
      expect([origin, outcome(created)]).toEqual([origin, 201])
      const socket = await RawSocket.open(loopback.url, '/v1/live', { origin })
      socket.socket.destroy()
      const other = await ask(unlisted, conversations, { headers: page(origin) })
      expect([origin, other.status, other.headers.get('access-control-allow-origin')]).toEqual([
        origin,
        200,
        null,
      ])
    }
  })

  test('only pages of an allowed origin may write, connect and read answers', async () => {
    const origin = 'https://app.example'
    for (const server of [configured, unlisted]) {
      const body = JSON.stringify({ title: 'x' })
      const created = await ask(server, conversations, {
        method: 'POST',
        headers: page(origin, json),
        body,
      })
      expect([outcome(created), created.headers.get('access-control-allow-origin')]).toEqual([
        201,
        origin,
      ])
      ;(await RawSocket.open(server.url, '/v1/live', { origin })).socket.destroy()
      for (const other of [...foreignPages, 'http://app.example', 'https://app.example:444']) {
        const refused = await ask(server, conversations, {
          method: 'POST',
          headers: page(other, json),
          body,
        })
        expect([other, outcome(refused)]).toEqual([other, '403 origin-refused'])
        expect(refused.body.detail).toContain('server.allowedOrigins')
        expect(refused.headers.has('access-control-allow-origin')).toBe(false)
        const read = await ask(server, conversations, { headers: page(other) })
        expect([other, read.status, read.headers.has('access-control-allow-origin')]).toEqual([
          other,
          200,
          false,
        ])
        const socket = await ask(server, '/v1/live', { headers: { ...upgrade, origin: other } })
        expect([other, outcome(socket)]).toEqual([other, '403 origin-refused'])
        expect(socket.body.detail).toContain('server.allowedOrigins')
      }
    }
    const any = await ask(wildcard, conversations, {
      method: 'POST',
      headers: page('https://evil.example', json),
      body: '{}',
    })
    expect([outcome(any), any.headers.get('access-control-allow-origin')]).toEqual([
      201,
      'https://evil.example',
    ])
  })

  test('a page may write if its host and port are those of the request', async () => {
    const cases: [origin: string, host: string, isOwn: boolean][] = [
      ['http://turnlog.example:3000', 'turnlog.example:3000', true],
      ['https://turnlog.example', 'Turnlog.example', true],
      ['https://turnlog.example', 'turnlog.example:443', true],
      ['http://turnlog.example', 'turnlog.example:80', true],
      ['http://turnlog.example:8080', 'turnlog.example:3000', false],
      ['http://other.example', 'turnlog.example', false],
    ]
    for (const [origin, host, isOwn] of cases) {
      const created = await ask(unlisted, conversations, {
        method: 'POST',
        host,
        headers: page(origin, json),
        body: '{}',
      })
      expect([origin, host, outcome(created)]).toEqual([
        origin,
        host,
        isOwn ? 201 : '403 origin-refused',
      ])
    }
  })

  test('a CORS preflight is answered without Access-Control-Allow-Credentials', async () => {
    const origin = 'http://localhost:5173'
    const paths: [path: string, methods: string][] = [
      [conversations, 'GET, HEAD, POST'],
      [`${conversations}/${await create(loopback)}`, 'DELETE, GET, HEAD, PATCH'],
      [`${conversations}/x/turns/`, 'POST'],
      ['/nowhere', 'GET, HEAD, POST, PUT, PATCH, DELETE'],
    ]
    for (const [path, methods] of paths) {
      const { status, headers, text } = await ask(loopback, path, {
        method: 'OPTIONS',
        headers: preflight(origin, 'POST'),
      })
      expect([path, status, text]).toEqual([path, 204, ''])
      expect(headers.get('access-control-allow-methods')).toBe(methods)
      expect(headers.get('access-control-allow-origin')).toBe(origin)
      expect(headers.get('access-control-allow-headers')).toBe(
        'authorization, content-type, idempotency-key, if-match, traceparent, tracestate, turnlog-request-id',
      )
      expect(Number(headers.get('access-control-max-age'))).toBeGreaterThan(0)
      expect(headers.get('vary')).toBe('Origin')
      expect(headers.has('access-control-allow-credentials')).toBe(false)
    }
    for (const foreign of foreignPages) {
      const refused = await ask(loopback, conversations, {
        method: 'OPTIONS',
        headers: preflight(foreign, 'POST'),
      })
      expect([foreign, outcome(refused)]).toEqual([foreign, '403 origin-refused'])
      expect(refused.body.detail).toContain('server.allowedOrigins')
      expect(refused.headers.has('access-control-allow-origin')).toBe(false)
    }
    expect(outcome(await ask(loopback, conversations, { method: 'OPTIONS' }))).toBe(
      '405 method-not-allowed',
    )
  })

  test('a page of localhost can read every problem and every header of an answer', async () => {
    const origin = 'http://localhost:5173'
    const conversationId = await create(loopback)
    const cases: [
      status: number,
      method: string,
      path: string,
      body?: string | undefined,
      more?: Record<string, string>,
    ][] = [
      [404, 'GET', '/nowhere'],
      [405, 'PUT', conversations],
      [415, 'POST', conversations, '{}', { 'content-type': 'text/plain' }],
      [400, 'POST', conversations, '{'],
      [422, 'POST', conversations, '{"x":1}'],
      [409, 'POST', conversations, JSON.stringify({ id: conversationId, title: 'another' })],
      [412, 'PATCH', `${conversations}/${conversationId}`, '{"title":"x"}', { 'if-match': '"99"' }],
      [421, 'GET', conversations, undefined, { host: 'evil.example' }],
    ]
    for (const [status, method, path, body, { host = 'localhost', ...more } = {}] of cases) {
      const answer = await ask(loopback, path, {
        method,
        host,
        headers: page(origin, body === undefined ? more : { ...json, ...more }),
        ...(body === undefined ? {} : { body }),
      })
      expect([path, answer.status]).toEqual([path, status])
      expect(answer.headers.get('access-control-allow-origin')).toBe(origin)
      expect(answer.headers.get('vary')).toBe('Origin')
    }
    const { headers } = await ask(loopback, '/readyz', { headers: page(origin) })
    const exposed = headers.get('access-control-expose-headers')?.split(', ') ?? []
    expect(exposed).toEqual(expect.arrayContaining(['retry-after', 'ratelimit', 'etag']))
    const document = await documentOf(loopback)
    expect(headersOf(document).filter((name) => !exposed.includes(name))).toEqual([])
  })

  test('`server.allowedOrigins = *` without authentication logs a warning at the start', async () => {
    for (const [allowedOrigins, warnings] of [
      ['https://a, *', 1],
      ['https://a', 0],
    ] as const) {
      const lines: string[] = []
      const events = createEvents((line) => lines.push(line))
      await using _ = await testApp({ events, overrides: { server: { allowedOrigins } } })
      expect(lines.filter((line) => line.includes('server.allowedOrigins is *'))).toHaveLength(
        warnings,
      )
    }
  })

  test('a request without Origin is judged by Sec-Fetch-Site', async () => {
    const conversationId = await create(loopback)
    const path = `${conversations}/${conversationId}/segments`
    for (const [site, expected] of [
      ['cross-site', '403 origin-refused'],
      ['same-site', '403 origin-refused'],
      ['same-origin', 201],
      ['none', 201],
    ] as const)
      expect([
        site,
        outcome(await ask(loopback, path, { method: 'POST', headers: { 'sec-fetch-site': site } })),
      ]).toEqual([site, expected])
  })

  test('refused origins are logged, at most three lines a minute', async () => {
    await using own = await testApp()
    for (let n = 0; n < 20; n += 1)
      await own.ask('POST', conversations, {}, { origin: `https://${n}${'x'.repeat(400)}.example` })
    const lines = own.log.map((line) => JSON.parse(line))
    expect(lines).toHaveLength(3)
    expect(lines[0]).toMatchObject({ event: 'origin-refused', setting: 'server.allowedOrigins' })
    expect(lines[0].origin.length).toBeLessThan(250)
  })
})

/** The method and path of every write in the OpenAPI document, with ids that do not exist. */
function writesOf({ paths }: Document): [method: string, path: string][] {
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.keys(operations)
      .filter((method) => method !== 'get')
      .map((method): [string, string] => [
        method.toUpperCase(),
        path.replaceAll(/\{\w+\}/g, '0199c3a4-7d1e-7b52-9f10-3c6d2a9b4e01'),
      ]),
  )
}

const headersOf = ({ paths }: Document): string[] =>
  Object.values(paths).flatMap((operations) =>
    Object.values(operations).flatMap(({ responses }) =>
      Object.values(responses).flatMap(({ headers = {} }) =>
        Object.keys(headers).map((name) => name.toLowerCase()),
      ),
    ),
  )

describe('a write by a form', () => {
  const formTypes = [
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'Text/Plain;charset=UTF-8',
  ]

  test('every write with the media type of a form is refused with 415, with and without a body', async () => {
    const writes = writesOf(await documentOf(loopback))
    expect(writes.length).toBeGreaterThan(10)
    for (const [method, path] of writes)
      for (const type of formTypes)
        for (const body of [undefined, 'a=b']) {
          const { status, body: problem } = await loopback.ask(method, path, body, {
            'content-type': type,
          })
          expect([method, path, type, status, problem['code']]).toEqual([
            method,
            path,
            type,
            415,
            'media-type-unsupported',
          ])
        }
  })

  test('a form of another site creates no segment and ends no voice session', async () => {
    const conversationId = await create(loopback)
    const session = await loopback.ask('POST', `${conversations}/${conversationId}/voice-sessions`)
    const ending = `${conversations}/${conversationId}/voice-sessions/${String(session.body['id'])}/end`
    const form = { 'content-type': 'application/x-www-form-urlencoded' }
    for (const headers of [
      form,
      { ...form, origin: 'https://evil.example' },
      { ...form, origin: 'null' },
    ])
      for (const path of [`${conversations}/${conversationId}/segments`, ending])
        expect((await ask(loopback, path, { method: 'POST', headers })).status).toBeOneOf([
          403, 415,
        ])
    expect(
      (await loopback.ask('GET', `${conversations}/${conversationId}/segments`)).body['segments'],
    ).toEqual([])
    // A program may send neither a body nor a media type.
    expect(outcome(await ask(loopback, ending, { method: 'POST' }))).toBe(200)
    expect(
      outcome(
        await ask(loopback, `${conversations}/${conversationId}/segments`, { method: 'POST' }),
      ),
    ).toBe(201)
  })
})

describe('Cache-Control', () => {
  test('every answer is no-store, except for the files of /swagger', async () => {
    const conversationId = await create(loopback)
    const turns = `${conversations}/${conversationId}/turns`
    await loopback.ask('POST', turns, { assistant: { responses: ['x'.repeat(40_000)] } })
    const requests: [method: string, path: string, body?: unknown][] = [
      ['GET', conversations],
      ['GET', `${conversations}/${conversationId}`],
      ['GET', `${conversations}/${conversationId}/messages`],
      ['GET', `${conversations}/${conversationId}/history`],
      ['HEAD', `${conversations}/${conversationId}/history`],
      ['GET', `${conversations}/${conversationId}/changes`],
      ['GET', `${conversations}/${conversationId}/segments`],
      ['POST', turns, { assistant: { responses: ['Hello'] } }],
      ['POST', turns, { oops: 1 }],
      ['PATCH', `${conversations}/${conversationId}`, { title: 'x' }],
      ['DELETE', `${conversations}/${conversationId}`],
      ['GET', `${conversations}/${conversationId}`],
      ['GET', '/nowhere'],
      ['GET', '/healthz'],
      ['GET', '/readyz'],
      ['GET', '/swagger/json'],
      ['GET', '/problems'],
    ]
    for (const [method, path, body] of requests) {
      const { headers } = await loopback.ask(method, path, body)
      expect([method, path, headers.get('cache-control')]).toEqual([method, path, 'no-store'])
      expect(headers.get('vary')).toContain('Origin')
    }
    const asset = await loopback.ask('GET', '/swagger/assets/swagger-ui.css')
    expect(asset.headers.get('cache-control')).toBe('public, max-age=3600')
  })
})
