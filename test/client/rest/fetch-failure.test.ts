/** The problem of a write without an answer: whether it may have been carried out, and whether to send it again. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { type ClientOptions, createClient, Problem } from '../../../src/client/client.ts'
import { sendingOf } from '../../../src/client/rest/fetch-failure.ts'
import type { WebSocketClass } from '../../../src/client/socket/connection.ts'
import { type TestApp, testApp } from '../../support/servers/app.ts'
import { freePort } from '../../support/servers/processes.ts'

let app: TestApp
let server: ReturnType<TestApp['listen']>
beforeAll(async () => {
  app = await testApp()
  server = app.listen({ host: '127.0.0.1', port: 0 })
}, 60_000)
afterAll(async () => {
  await server.stop(1000)
  await app[Symbol.asyncDispose]()
})

const id = '0192f0c1-7c00-7000-8000-000000000001'
const turn = { user: { text: 'Hello' }, assistant: { responses: ['Hi!'] } }
const backoff = { firstMs: 1, maxMs: 4 }
const clientOf = (url: string, options: Partial<ClientOptions> = {}) =>
  createClient({ url, backoff, deadlineMs: 300, attemptMs: 200, ...options })

const failure = async (promise: Promise<unknown>): Promise<Problem> => {
  const thrown = await promise.then(
    (value) => new Error(`it resolved: ${JSON.stringify(value)}`),
    (reason) => reason,
  )
  if (thrown instanceof Problem) return thrown
  throw thrown
}

/** Accepts connections, and calls `then` with each once it has sent something. */
async function startSink(then: (socket: Socket) => void) {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('data', () => then(socket))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return {
    port: typeof address === 'object' ? (address?.port ?? 0) : 0,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Makes every write of `writesOf`, and returns the problem of each. */
const failuresOf = (client: ReturnType<typeof createClient>) =>
  Promise.all(
    Object.entries(writesOf(client)).map(async ([name, write]) => ({
      name,
      problem: await failure(write),
    })),
  )

const writesOf = (client: ReturnType<typeof createClient>) => ({
  recordTurn: client.recordTurn(id, turn),
  'recordTurn with a key': client.recordTurn(id, turn, { key: 'k' }),
  createConversation: client.createConversation(),
  'createConversation with an id': client.createConversation({ id }),
  'createConversation with an external id': client.createConversation({ externalId: 'a' }),
  patchConversation: client.patchConversation(id, { title: 'new' }),
  eraseConversation: client.eraseConversation(id),
  attachTtsToLatest: client.attachTtsToLatest(id, { ttsAudioUrls: [] }),
  openTurn: client.openTurn(id, 'k'),
  interrupt: client.interrupt(id, id, { heard: { parts: 1 } } as never),
  endVoiceSession: client.endVoiceSession(id, 'call'),
})

/** Writes whose caller gave a key or an id, so that the same call again is the same write. */
const repeatable = [
  'recordTurn with a key',
  'createConversation with an id',
  'createConversation with an external id',
  'eraseConversation',
  'openTurn',
]

describe('a write without an answer', () => {
  test('a write without a connection fails with service-unreachable, retryable', async () => {
    await using plain = await startSink((socket) => socket.end('HTTP/1.1 400 No\r\n\r\n'))
    for (const url of [
      `http://127.0.0.1:${await freePort()}`,
      // This server has no TLS, so that the handshake fails before anything is sent.
      `https://127.0.0.1:${plain.port}`,
    ]) {
      const client = clientOf(url, { attemptMs: 3000, deadlineMs: 3000 })
      for (const { name, problem } of await failuresOf(client)) {
        const { code, retryable, cause } = problem
        expect([url, name, code, retryable]).toEqual([url, name, 'service-unreachable', true])
        expect(cause).toBeInstanceOf(Error)
      }
    }
  }, 60_000)

  test('a write that was sent fails with outcome-unknown, retryable only if the caller gave a key or an id', async () => {
    await using resets = await startSink((socket) => socket.resetAndDestroy())
    await using silent = await startSink(() => {})
    for (const { port } of [resets, silent]) {
      const client = clientOf(`http://127.0.0.1:${port}`)
      for (const { name, problem } of await failuresOf(client)) {
        const isRepeatable = repeatable.includes(name)
        expect([name, problem.code, problem.retryable]).toEqual([
          name,
          'outcome-unknown',
          isRepeatable,
        ])
        expect(problem.message).toMatch(isRepeatable ? /Make the same call again/ : /read first/)
        expect(problem.retryAfterSeconds).toBe(isRepeatable ? 1 : undefined)
      }
      expect((await failure(client.getConversation(id))).code).toBe('service-unreachable')
    }
  }, 60_000)

  test('a lost write fails with outcome-unknown even if a later attempt never connects', async () => {
    await using resets = await startSink((socket) => socket.resetAndDestroy())
    const refused = await freePort()
    const ports = [refused, resets.port]
    const client = clientOf('http://127.0.0.1:1', {
      fetch: (url, init) => {
        const port = ports.shift() ?? refused
        return fetch(url.replace(':1/', `:${port}/`), init)
      },
    })
    const problem = await failure(client.recordTurn(id, turn, { key: 'k' }))
    expect(problem).toMatchObject({ code: 'outcome-unknown', retryable: true })
  })

  test('a write is retried while no connection can be made, whether it is repeatable or not', async () => {
    const refused = await freePort()
    let attempts = 0
    const client = clientOf(server.url, {
      deadlineMs: 50_000,
      attemptMs: 50_000,
      fetch: (url, init) => {
        attempts += 1
        const target = attempts % 3 === 0 ? url : `http://127.0.0.1:${refused}/`
        return fetch(target, init)
      },
    })
    const { id: c } = await client.createConversation()
    expect(await client.patchConversation(c, { title: 'once' })).toMatchObject({ version: 2 })
    expect(attempts).toBe(6)
  }, 60_000)

  test('a write with a generated id is resent after outcome-unknown, whether that is retryable or not', async () => {
    const body = new Problem('outcome-unknown', 'lost', { retryable: false }).body()
    let attempts = 0
    const client = clientOf(server.url, {
      deadlineMs: 50_000,
      attemptMs: 50_000,
      fetch: async (url, init) => {
        attempts += 1
        const answer = await fetch(url, init)
        return attempts % 2 === 1 ? Response.json(body, { status: 503 }) : answer
      },
    })
    const { id: c } = await client.createConversation()
    expect(await client.recordTurn(c, turn)).toMatchObject({ version: 2, replayed: true })
    expect(attempts).toBe(4)
    const once = await failure(client.patchConversation(c, { title: 'once' }))
    expect(once).toMatchObject({ code: 'outcome-unknown', retryable: false })
    expect(attempts).toBe(5)
  }, 60_000)

  test('a conversation with an external id is created once when its caller repeats the call', async () => {
    let lose = true
    const sent: unknown[] = []
    const client = clientOf(server.url, {
      deadlineMs: 50_000,
      attemptMs: 50_000,
      fetch: async (url, init) => {
        sent.push(await new Request(url, init).json())
        const answer = await fetch(url, init)
        if (!lose) return answer
        throw new TypeError('lost')
      },
    })
    const body = { externalId: 'sent again', title: 'one' }
    const first = client.createConversation(body, { deadlineMs: 2000 })
    expect(await failure(first)).toMatchObject({ code: 'outcome-unknown', retryable: true })
    lose = false
    const { id: created } = await client.createConversation(body)
    expect(await client.createConversation(body)).toMatchObject({ id: created, title: 'one' })
    // The client makes no id: it would be another one at each call, and the service would refuse the second call.
    expect(sent).toEqual(sent.map(() => body))
  })

  test('a REST call with a malformed URL or header fails at once with a problem that is not retryable', async () => {
    const begun = performance.now()
    for (const url of ['nonsense', 'http://127.0.0.1:99999'])
      expect(() => clientOf(url)).toThrow(TypeError)
    const headers = { authorization: 'a\nb' }
    const client = clientOf('http://127.0.0.1:3', { deadlineMs: 60_000, headers })
    for (const call of [client.recordTurn(id, turn), client.getConversation(id)])
      expect(await failure(call)).toMatchObject({ code: 'service-unreachable', retryable: false })
    expect(performance.now() - begun).toBeLessThan(30_000)
  })

  test('the error of each runtime decides whether a request may have been sent', () => {
    const error = (message: string, more: object = {}) =>
      Object.assign(new TypeError(message), more)
    const caused = (message: string, more: object = {}) =>
      new TypeError('fetch failed', { cause: error(message, more) })
    const deno = (failed: string) =>
      caused(`error sending request for url (http://127.0.0.1:7/): client error (${failed})`)
    const never = [
      error('Unable to connect', { code: 'ECONNREFUSED' }),
      error('Unable to connect', { code: 'ConnectionRefused' }),
      error('getaddrinfo', { code: 'ENOTFOUND', syscall: 'getaddrinfo' }),
      error('EPROTO: The TLS handshake failed. Does the server speak TLS?', { code: 'EPROTO' }),
      error('self signed certificate', { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }),
      caused('connect EHOSTUNREACH', { code: 'EHOSTUNREACH', syscall: 'connect' }),
      caused('connect ETIMEDOUT', { code: 'ETIMEDOUT', syscall: 'connect' }),
      caused('Connect Timeout Error', { code: 'UND_ERR_CONNECT_TIMEOUT' }),
      caused('wrong version number', { code: 'ERR_SSL_WRONG_VERSION_NUMBER' }),
      caused('Hostname/IP does not match', { code: 'ERR_TLS_CERT_ALTNAME_INVALID' }),
      caused('certificate has expired', { code: 'CERT_HAS_EXPIRED' }),
      deno('Connect'),
    ]
    const perhaps = [
      error('socket closed', { code: 'ECONNRESET' }),
      caused('read ETIMEDOUT', { code: 'ETIMEDOUT', syscall: 'read' }),
      caused('write EPROTO bad record mac', { code: 'EPROTO', syscall: 'write' }),
      caused('other side closed', { code: 'UND_ERR_SOCKET' }),
      deno('SendRequest'),
      new DOMException('The operation timed out.', 'TimeoutError'),
      new TypeError('Failed to fetch'),
      'no error',
    ]
    const impossible = [caused('bad port'), error('Fetch failed: Requests to port 1 are blocked')]
    for (const thrown of never)
      expect([thrown, sendingOf(thrown, false)]).toEqual([thrown, 'never'])
    for (const thrown of perhaps)
      expect([thrown, sendingOf(thrown, false)]).toEqual([thrown, 'perhaps'])
    for (const thrown of impossible) expect(sendingOf(thrown, false)).toBe('impossible')
    // Deno resends by itself a request that was lost on a kept connection, so its connect error proves nothing there.
    expect(sendingOf(deno('Connect'), true)).toBe('perhaps')
    expect(sendingOf(never[0], true)).toBe('never')
  })
})

describe('a WebSocket that cannot be created', () => {
  const unusable = class {
    constructor() {
      throw new SyntaxError('no sockets here')
    }
  } as unknown as WebSocketClass
  test('a WebSocket that cannot be created rejects writes and iterations with connection-refused', async () => {
    const client = clientOf('http://127.0.0.1:3', { webSocket: unusable })
    const refused = await Promise.all([
      failure(client.record(id, turn)),
      failure(client.attach(id, { ttsAudioUrls: [] })),
      failure(client.voice(id).started),
      failure(client.live(id).next()),
    ])
    expect(refused.map(({ code, retryable }) => [code, retryable])).toEqual(
      Array(4).fill(['connection-refused', false]),
    )
    await client.settled()
    await client.close()
  })
})
