/** The server on a port: the behaviour that app.fetch alone cannot show. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { connect, type Socket } from 'node:net'
import type { Listening } from '../../src/http/listen.ts'
import { StartRefusal } from '../../src/ports/database.ts'
import { type TestApp, testApp } from '../support/servers/app.ts'
import { until } from '../support/servers/processes.ts'

const anyPort = { host: '127.0.0.1', port: 0 }

let app: TestApp
let server: Listening
beforeAll(async () => {
  app = await testApp()
  server = app.listen(anyPort)
})
afterAll(async () => {
  await server.stop(0)
  await app[Symbol.asyncDispose]()
})

const portOf = ({ url }: Listening) => Number(new URL(url).port)

/** A TCP connection, with the text that it received, and whether it is closed. */
async function rawConnection(port: number) {
  const socket: Socket = connect(port, '127.0.0.1')
  const state = { received: '', closed: false }
  socket.on('data', (chunk) => {
    state.received += chunk
  })
  socket.on('close', () => {
    state.closed = true
  })
  socket.on('error', () => {})
  await once(socket, 'connect')
  return { socket, state }
}

describe('listen', () => {
  test('the server answers an unknown path with a problem and the id of the request', async () => {
    const response = await fetch(`${server.url}/nope`, { headers: { 'turnlog-request-id': 'a-1' } })
    expect(response.status).toBe(404)
    expect(response.headers.get('turnlog-request-id')).toBe('a-1')
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    const head = await fetch(`${server.url}/healthz`, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-length')]).toEqual([200, '15'])
  })

  test('a long answer arrives complete', async () => {
    const created = await fetch(`${server.url}/v1/conversations`, {
      method: 'POST',
      body: new Blob(['{}']),
    })
    const path = `${server.url}${created.headers.get('location')}`
    const text = 'é'.repeat(30_000)
    const turn = new Blob([JSON.stringify({ assistant: { responses: [text] } })])
    expect((await fetch(`${path}/turns`, { method: 'POST', body: turn })).status).toBe(201)
    const history = (await (await fetch(`${path}/history`)).json()) as {
      messages: { content: string }[]
    }
    expect(history.messages[0]?.content).toBe(text)
    const head = await fetch(`${path}/history`, { method: 'HEAD' })
    expect([head.status, await head.text()]).toEqual([200, ''])
  })

  test('a body above the maximum is refused by a problem, with a Content-Length or chunked', async () => {
    for (const headers of [
      { 'content-length': String(200 * 1024 * 1024) },
      { 'transfer-encoding': 'chunked' },
    ]) {
      const sending = httpRequest(`${server.url}/v1/conversations`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
      })
      // The server closes the connection while the test still sends.
      sending.on('error', () => {})
      const answered = once(sending, 'response')
      const chunk = Buffer.alloc(65_536, ' ')
      const pump = setInterval(() => sending.write(chunk), 1)
      const [response] = await answered
      clearInterval(pump)
      sending.destroy()
      expect(response.statusCode).toBe(413)
      expect(response.headers['content-type']).toBe('application/problem+json')
    }
  })

  test('a caller that disconnects in the middle of a body leaves no line in the log', async () => {
    await using own = await testApp()
    const listening = own.listen(anyPort)
    const { socket } = await rawConnection(portOf(listening))
    socket.write(
      'POST /v1/conversations HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"ti',
    )
    // Once the next request is answered, the server has read this one.
    expect((await fetch(`${listening.url}/healthz`)).status).toBe(200)
    socket.destroy()
    // The stop resolves when no request is in flight.
    await listening.stop(10_000)
    expect(own.log).toEqual([])
  })

  test('a second server on the same port is refused with a StartRefusal that names PORT', () => {
    for (const host of ['127.0.0.1', '0.0.0.0']) {
      const second = () => app.listen({ host, port: portOf(server) })
      expect(second).toThrow(StartRefusal)
      expect(second).toThrow(/^Port \d+ on [\d.]+ is in use by another program: .* PORT\.$/)
    }
  })

  test('listening on an address of another machine is refused with a StartRefusal', () => {
    expect(() => app.listen({ host: '192.0.2.1', port: 0 })).toThrow(StartRefusal)
  })
})

describe('Listening.stop', () => {
  test('a stop of the service does not wait for idle connections or half a request', async () => {
    await using own = await testApp()
    const listening = own.listen(anyPort)
    const idle = await rawConnection(portOf(listening))
    idle.socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await until('the answer arrives', () => idle.state.received.endsWith('{"status":"ok"}'))
    const half = await rawConnection(portOf(listening))
    half.socket.write('POST /v1/conversations HTTP/1.1\r\nHo')
    const stopped = performance.now()
    await listening.stop(10_000)
    expect(performance.now() - stopped).toBeLessThan(8000)
    await until('both are closed', () => idle.state.closed && half.state.closed)
    const again = fetch(`${listening.url}/healthz`)
    expect(await again.catch(() => 'refused')).toBe('refused')
  })

  test('a stop of the service closes connections whose requests have not ended after the grace period', async () => {
    await using own = await testApp()
    const listening = own.listen(anyPort)
    const slow = await rawConnection(portOf(listening))
    slow.socket.write(
      'POST /v1/conversations HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{',
    )
    // Once the next request is answered, the server has read this one.
    expect((await fetch(`${listening.url}/healthz`)).status).toBe(200)
    const stopped = performance.now()
    await listening.stop(200)
    expect(performance.now() - stopped).toBeWithin(190, 8000)
    await until('it is closed', () => slow.state.closed)
  })
})
