/**
 * Wrong frames, each with its documented answer, while another socket of the service stays
 * undisturbed.
 */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { encodeCursor, newId } from '../../../src/conversation/wire/ids.ts'
import type { Listening } from '../../../src/http/listen.ts'
import { LiveClient } from '../../support/live/live.ts'
import { RawSocket } from '../../support/live/raw-socket.ts'
import { type TestApp, testApp } from '../../support/servers/app.ts'
import { until } from '../../support/servers/processes.ts'

let app: TestApp
let server: Listening
let c: string
let other: LiveClient
beforeAll(async () => {
  app = await testApp()
  server = app.listen({ host: '127.0.0.1', port: 0 })
  c = String((await app.ask('POST', '/v1/conversations', {})).body['id'])
  other = new LiveClient(server, `?conversation=${c}`)
  await other.until('live')
}, 60_000)
afterAll(async () => {
  other.close()
  await server.stop(2000)
  await app[Symbol.asyncDispose]()
})

/** Checks that a turn still reaches the other socket, which is open and got no problem. */
async function undisturbed() {
  const { body } = await app.ask('POST', `/v1/conversations/${c}/turns`, {
    assistant: { responses: ['undisturbed'] },
  })
  await other.reaches(c, Number(body['version']))
  expect(other.of('problem')).toEqual([])
  expect(other.closed).toBeUndefined()
  expect(app.log).toEqual([])
}

const frames = (raw: RawSocket) => raw.texts.map((text) => JSON.parse(text))
const frame = (fields: object) => JSON.stringify({ id: 'x', c, ...fields })
/** A turn with a number in nested arrays. */
const deep = (levels: number, number: string) =>
  frame({
    t: 'record',
    key: 'k',
    turn: { assistant: { responses: ['a'], metadata: { a: 'X' } } },
  }).replace('"X"', '['.repeat(levels) + number + ']'.repeat(levels))
const turn = { assistant: { responses: ['Hello'] } }

test('every wrong frame is answered with its problem code, and the socket stays open', async () => {
  const cases: [string | Uint8Array, object][] = [
    ['', { code: 'frame-invalid' }],
    ['{"t":"sub"', { code: 'frame-invalid' }],
    ['null', { code: 'frame-invalid' }],
    ['[{"t":"pong"}]', { code: 'frame-invalid' }],
    [frame({ t: 'subscribe' }), { code: 'frame-unknown', id: 'x', c }],
    [frame({ t: 7 }), { code: 'frame-invalid', id: 'x', c }],
    [Buffer.from(frame({ t: 'sub' })), { code: 'frame-invalid' }],
    [frame({ t: 'record', turn, key: 'x'.repeat(200_000) }), { code: 'frame-too-large' }],
    [frame({ t: 'record', turn, key: 7 }), { code: 'field-invalid', id: 'x', c }],
    [frame({ t: 'record', turn: 'Hello' }), { code: 'field-invalid', id: 'x', c }],
    // A recursion over either of these two frames would overflow the stack.
    [deep(5000, '12345678901234567890'), { code: 'json-too-large', id: 'x', c }],
    [deep(60_000, '1'.repeat(12_000)), { code: 'json-too-large', id: 'x', c }],
    // A frame with 131 KB of values is not parsed, and its answer has its `id` all the same.
    [
      deep(0, JSON.stringify(Array.from({ length: 65_600 }, () => 0))),
      { code: 'frame-too-large', id: 'x', c },
    ],
    // This `c` is almost a UUID. The problem does not repeat it.
    [
      frame({ t: 'sub', c: '01a20bb4-3031-7301-9788e0d4002354f90' }),
      expect.not.objectContaining({ c: expect.anything() }),
    ],
    [frame({ t: 'sub', tail: '20' }), { code: 'field-invalid', id: 'x', c }],
    [frame({ t: 'sub', tial: 20 }), { code: 'field-unknown', id: 'x', c }],
    [frame({ t: 'sub', cursor: encodeCursor(newId(), 1) }), { code: 'cursor-invalid', c }],
    [frame({ t: 'sub', cursor: encodeCursor(c, 999) }), { t: 'reset', reason: 'cursor-ahead' }],
    [frame({ t: 'sub', c: newId() }), { code: 'conversation-not-found', id: 'x' }],
  ]
  const raw = await RawSocket.open(server.url, '/v1/live')
  for (const [index, [sent, answer]] of cases.entries()) {
    raw.send(sent, typeof sent === 'string' ? 1 : 2)
    await until('the frame is answered', () => raw.texts.length > index + 1)
    expect([sent.slice(0, 99), frames(raw).at(-1)]).toMatchObject([sent.slice(0, 99), answer])
  }
  expect(raw.closed).toBe(false)
  raw.socket.destroy()
  await undisturbed()
})

test('a message of invalid UTF-8 and an unmasked one each close their own socket only', async () => {
  const broken = await RawSocket.open(server.url, '/v1/live')
  broken.send(new Uint8Array([0x22, 0xff, 0xfe, 0x22]))
  const bare = await RawSocket.open(server.url, '/v1/live')
  bare.socket.write(Buffer.from([0x81, 0x02, 0x7b, 0x7d]))
  await until('both sockets are closed', () => broken.closed && bare.closed)
  await undisturbed()
})

// 10,000 frames are above the budget: some wait, and the socket is not read for a while.
test('10,000 frames of a client that does not read are answered in order once it reads', async () => {
  const raw = await RawSocket.open(server.url, '/v1/live')
  await until('the socket is welcome', () => raw.texts.length === 1)
  raw.socket.pause()
  for (let n = 0; n < 10_000; n += 1) raw.send(`{"t":"auth","id":"${n}","token":"x"}`)
  await undisturbed()
  raw.socket.resume()
  // A ping may arrive between the answers.
  const answers = () => raw.texts.filter((text) => text.includes('"authenticated"'))
  await until('all frames are answered', () => answers().length === 10_000, 30_000)
  expect(answers().map((text) => JSON.parse(text).id)).toEqual(
    Array.from({ length: 10_000 }, (_, n) => `${n}`),
  )
  raw.socket.destroy()
})
