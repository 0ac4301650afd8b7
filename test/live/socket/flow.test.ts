/**
 * The bounds of one socket: slow readers, credit, silence, large frames; and the stop of a node.
 */
import { describe, expect, test } from 'bun:test'
import { encodeCursor } from '../../../src/conversation/wire/ids.ts'
import { LiveClient } from '../../support/live/live.ts'
import { RawSocket } from '../../support/live/raw-socket.ts'
import { type TestApp, testApp } from '../../support/servers/app.ts'
import { until } from '../../support/servers/processes.ts'

const anyPort = { host: '127.0.0.1', port: 0 }
const create = async (app: TestApp) =>
  String((await app.ask('POST', '/v1/conversations', {})).body['id'])
const turn = (text: string) => ({ assistant: { responses: [text] } })
const record = (app: TestApp, c: string, text: string) =>
  app.ask('POST', `/v1/conversations/${c}/turns`, turn(text))

describe('a reader that stops reading', () => {
  test('a paused reader stays within its buffer, and catches up to the last turn', async () => {
    const live = { bufferSoftBytes: 65_536, bufferHardBytes: 1_048_576, pageBytesMax: 65_536 }
    await using app = await testApp({ overrides: { live } })
    const server = app.listen(anyPort)
    const c = await create(app)
    const raw = await RawSocket.open(
      server.url,
      `/v1/live?conversation=${c}&cursor=${encodeCursor(c, 1)}`,
    )
    await until('the reader is live', () => raw.texts.some((text) => text.includes('"live"')))
    raw.socket.pause()
    const other = new LiveClient(server, `?conversation=${c}`)
    // 20 MB are far more than the kernel's buffers.
    const big = 'x'.repeat(100_000)
    for (let n = 0; n < 200; n += 20)
      await Promise.all(Array.from({ length: 20 }, (_, m) => record(app, c, `${n + m} ${big}`)))
    await other.reaches(c, 201, 60_000)
    raw.socket.resume()
    // The socket is still open, so the service kept less than the hard bound for it.
    let last = 1
    const caughtUp = () => {
      for (const text of raw.texts.splice(0)) {
        const frame = JSON.parse(text)
        if (frame.t !== 'change') continue
        expect(frame.from).toBe(last)
        last = frame.version
      }
      return last === 201
    }
    await until('the reader has caught up', caughtUp, 180_000)
    expect(raw.closed).toBe(false)
    raw.socket.destroy()
    other.close()
    await server.stop(2000)
  }, 300_000)

  test('a socket whose client does not read and lets its own answers pile up is closed with 4101', async () => {
    const live = { bufferSoftBytes: 4096, bufferHardBytes: 65_536, framesPerSecond: 1_000_000 }
    await using app = await testApp({ overrides: { live } })
    const server = app.listen(anyPort)
    const c = await create(app)
    const other = new LiveClient(server, `?conversation=${c}`)
    await other.until('live')
    const raw = await RawSocket.open(server.url, '/v1/live')
    await until('the socket is welcome', () => raw.texts.length === 1)
    raw.socket.pause()
    const closed = () => app.log.some((line) => line.includes('"too-slow"'))
    while (!closed()) {
      for (let n = 0; n < 2000; n += 1) raw.send('{"t":"nothing like it"}')
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    await record(app, c, 'undisturbed')
    await other.reaches(c, 2)
    other.close()
    raw.socket.destroy()
    await server.stop(2000)
  }, 30_000)
})

describe('a socket', () => {
  test('a client that exceeds its credit is closed with 4103, after a bye', async () => {
    await using app = await testApp()
    const server = app.listen(anyPort)
    const c = await create(app)
    const raw = await RawSocket.open(server.url, '/v1/live')
    await until('the socket is welcome', () => raw.texts.length === 1)
    raw.socket.cork()
    for (let n = 0; n < 60; n += 1)
      raw.send(JSON.stringify({ t: 'record', id: `${n}`, c, turn: turn(`${n}`) }))
    raw.socket.uncork()
    await until('the socket is closed', () => raw.closeCode !== undefined)
    expect(raw.closeCode).toBe(4103)
    expect(JSON.parse(raw.texts.at(-1) ?? '')).toMatchObject({ t: 'bye', code: 4103 })
    raw.socket.destroy()
    await server.stop(2000)
  })

  test('a silent client gets a ping with the newest versions, and is then closed with 4104', async () => {
    await using app = await testApp({ overrides: { live: { pingSeconds: 1 } } })
    const server = app.listen(anyPort)
    const c = await create(app)
    const silent = await RawSocket.open(server.url, `/v1/live?conversation=${c}`)
    const answering = new LiveClient(server, `?conversation=${c}`)
    await answering.until('live')
    await record(app, c, 'news')
    await answering.until('ping', ({ heads }) => heads[c] === 2)
    await until('the silent one is closed', () => silent.closeCode === 4104)
    // The runtime of the other client answers WebSocket pings, as wscat's does.
    expect(answering.closed).toBeUndefined()
    answering.close()
    silent.socket.destroy()
    await server.stop(2000)
  }, 15_000)

  test('a frame that is too large is refused, and one of four times the maximum closes with 1009', async () => {
    await using app = await testApp()
    const server = app.listen(anyPort)
    const raw = await RawSocket.open(server.url, '/v1/live')
    raw.send(`{"t":"auth","token":"${'x'.repeat(200_000)}"}`)
    await until('the frame is refused', () =>
      raw.texts.some((text) => text.includes('frame-too-large')),
    )
    raw.send('x'.repeat(600_000))
    await until('the socket is closed', () => raw.closeCode === 1009)
    raw.socket.destroy()
    await server.stop(2000)
  })
})

describe('the stop of a node', () => {
  test('a stopping node answers pending writes, then closes every socket with a bye', async () => {
    await using app = await testApp()
    const server = app.listen(anyPort)
    const c = await create(app)
    const clients = Array.from({ length: 120 }, () => new LiveClient(server, `?conversation=${c}`))
    for (const client of clients) await client.until('live')
    const [first] = clients
    if (first === undefined) throw new Error('no client is connected')
    for (let n = 0; n < 30; n += 1)
      first.send({ t: 'record', id: `${n}`, key: `${n}`, c, turn: turn(`${n}`) })
    await first.until('recorded')
    app.drain()
    const refused = await fetch(`${server.url}/v1/live`, {
      headers: { upgrade: 'websocket', connection: 'upgrade' },
    })
    expect([refused.status, await refused.json()]).toMatchObject([503, { code: 'draining' }])
    const stopped = performance.now()
    await server.stop(10_000)
    expect(performance.now() - stopped).toBeLessThan(9000)
    for (const client of clients) {
      await until('the socket is closed', () => client.closed !== undefined)
      expect(client.closed).toEqual({ code: 4200, reason: 'draining' })
      expect(client.frames.at(-1)).toMatchObject({ t: 'bye', code: 4200, retryMs: [0, 8000] })
    }
    const { body } = await app.ask('GET', `/v1/conversations/${c}`)
    expect(first.of('recorded')).toHaveLength(Number(body['lastSeq']))
  }, 20_000)
})
