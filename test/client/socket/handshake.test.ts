/** A refused handshake in a web page: the WebSocket reports only that it closed. */
import { expect, test } from 'bun:test'
import { type ConnectionState, createClient, Problem } from '../../../src/client/client.ts'
import { testApp } from '../../support/servers/app.ts'

const origin = 'https://page.example'
/** Requests with an `Origin` header, which a browser adds and a script cannot set. */
const asPage = {
  webSocket: class extends WebSocket {
    constructor(url: string, protocols: string[]) {
      // Bun accepts headers, which the types of browsers do not have.
      super(url, { protocols, headers: { origin } } as never)
    }
  },
  fetch: (url: string, init: RequestInit) => {
    const headers = new Headers(init.headers)
    headers.set('origin', origin)
    return fetch(url, { ...init, headers })
  },
}
const backoff = { firstMs: 5, maxMs: 20 }
const turn = { assistant: { responses: ['Hello'] } }

test('a page with a refused origin gets origin-refused from live and from record', async () => {
  await using app = await testApp()
  const server = app.listen({ host: '127.0.0.1', port: 0 })
  const c = String((await app.ask('POST', '/v1/conversations', {})).body['id'])
  const states: ConnectionState[] = []
  await using client = createClient({
    url: server.url,
    backoff,
    ...asPage,
    onConnection: (state) => states.push(state),
  })
  const both = await Promise.allSettled([client.live(c).next(), client.record(c, turn)])
  for (const outcome of both) {
    if (outcome.status === 'fulfilled') throw new Error('was not refused')
    expect(outcome.reason).toBeInstanceOf(Problem)
    expect(outcome.reason).toMatchObject({ code: 'origin-refused', status: 403, retryable: false })
  }
  expect(states.at(-1)).toBe('closed')
  // The page may read the reason, because the answer has no data of any tenant.
  const answer = await asPage.fetch(`${server.url}/v1/live`, {})
  expect(answer.headers.get('access-control-allow-origin')).toBe('*')
  await server.stop(1000)
}, 20_000)

test('a handshake that fails temporarily is retried', async () => {
  const answers = [
    new Response('bad gateway', { status: 502 }),
    new Response('<p>Not here</p>', { status: 404 }),
    Response.json(new Problem('draining').body(), { status: 503 }),
    Response.json(new Problem('upgrade-required').body(), { status: 426 }),
    new Response(null, { status: 401 }),
  ]
  let probes = 0
  // The server never accepts a socket.
  using server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch(request) {
      if (request.headers.has('upgrade')) return new Response(null, { status: 500 })
      probes += 1
      return answers[probes - 1] ?? new Response(null, { status: 500 })
    },
  })
  await using client = createClient({ url: `http://127.0.0.1:${server.port}`, backoff })
  const refused = await client
    .live('0192f0c1-7c00-7000-8000-000000000001')
    .next()
    .catch((thrown) => thrown)
  expect(refused).toMatchObject({ code: 'connection-refused', retryable: false })
  expect(probes).toBe(answers.length)
})
