/** The frames of the live socket, on a real app over a real socket. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { encodeCursor, newId } from '../../../src/conversation/wire/ids.ts'
import type { Listening } from '../../../src/http/listen.ts'
import { LiveClient } from '../../support/live/live.ts'
import { RawSocket } from '../../support/live/raw-socket.ts'
import { type TestApp, testApp } from '../../support/servers/app.ts'
import { until } from '../../support/servers/processes.ts'

let app: TestApp
let server: Listening
beforeAll(async () => {
  app = await testApp({ overrides: { live: { subscriptionsMax: 3 } } })
  server = app.listen({ host: '127.0.0.1', port: 0 })
})
afterAll(async () => {
  await server.stop(2000)
  await app[Symbol.asyncDispose]()
})

const create = async () => String((await app.ask('POST', '/v1/conversations', {})).body['id'])
const record = (c: string, text: string) =>
  app.ask('POST', `/v1/conversations/${c}/turns`, {
    user: { text },
    assistant: { responses: [`${text}!`] },
  })
const turn = (text: string) => ({ user: { text }, assistant: { responses: [`${text}!`] } })

describe('a subscription', () => {
  test('a subscription without a cursor begins at the newest version, and gets every later kind of change', async () => {
    const c = await create()
    await record(c, 'before')
    const client = new LiveClient(server)
    await client.until('welcome')
    client.send({ t: 'sub', id: 's', c })
    expect(await client.until('subscribed')).toMatchObject({ id: 's', c, recovered: false })
    expect(await client.until('live')).toMatchObject({ c, version: 2 })
    const { body } = await record(c, 'after')
    await app.ask('PUT', `/v1/conversations/${c}/tts`, { ttsAudioUrls: ['https://a.example/1'] })
    const segment = await app.ask('POST', `/v1/conversations/${c}/segments`, {})
    await app.ask('PATCH', `/v1/conversations/${c}`, { title: 'Titled' })
    await client.reaches(c, 6)
    const { state, conversation } = client.copy(c)
    expect(state.messages.map(({ id }) => id)).toEqual([
      String(body['humanMessageId']),
      String(body['assistantMessageId']),
    ])
    expect(state.messages[1]?.ttsAudioUrls).toEqual(['https://a.example/1'])
    expect(state.segments).toEqual([segment.body['segment'] ?? segment.body] as never)
    expect(conversation).toMatchObject({ title: 'Titled', version: 6 })
    client.close()
  })

  test('a subscription resumes at the cursor in the address', async () => {
    const c = await create()
    const first = new LiveClient(server, `?conversation=${c}`)
    await first.until('live')
    await record(c, 'one')
    await first.reaches(c, 2)
    first.terminate()
    await record(c, 'two')
    const second = new LiveClient(server, `?conversation=${c}&cursor=${first.copy(c).cursor}`, {
      copies: first.copies,
    })
    expect(await second.until('subscribed')).toMatchObject({ recovered: true })
    await second.until('live', ({ version }) => version === 3)
    const { body } = await app.ask('GET', `/v1/conversations/${c}/messages`)
    expect(second.copy(c).state.messages).toEqual(body['messages'] as never)
    second.close()
  })

  test('a subscription with a tail begins with a snapshot, and changes follow', async () => {
    const c = await create()
    for (const text of ['one', 'two', 'three']) await record(c, text)
    const client = new LiveClient(server, `?conversation=${c}&tail=3`)
    const { from, snapshot, messages, conversation } = await client.until('change')
    expect([from, snapshot, messages.map(({ seq }) => seq)]).toEqual([0, true, [4, 5, 6]])
    expect(conversation?.version).toBe(4)
    await client.until('live')
    await record(c, 'four')
    await client.reaches(c, 5)
    // A second `sub` begins the subscription again.
    client.send({ t: 'sub', c, tail: 0 })
    await client.until('change', (frame) => frame.snapshot === true && frame.messages.length === 0)
    client.close()
  })

  test('a subscription ends with unsub, and with the erasure of its conversation', async () => {
    const [c, d] = [await create(), await create()]
    const client = new LiveClient(server, `?conversation=${c}`)
    await client.until('live')
    client.send({ t: 'sub', c: d })
    await client.until('live', (frame) => frame.c === d)
    client.send({ t: 'unsub', id: 'u', c: d })
    expect(await client.until('unsubscribed')).toMatchObject({ id: 'u', c: d })
    await record(d, 'not delivered')
    await app.ask('DELETE', `/v1/conversations/${c}`)
    await client.until('reset', (frame) => frame.reason === 'conversation-erased')
    expect(client.copy(c).conversation?.erasedAt).toBeString()
    expect(client.copy(d).last).toBe(1)
    client.send({ t: 'sub', id: 'again', c })
    expect(await client.until('problem')).toMatchObject({ id: 'again', c, status: 410 })
    client.close()
  })

  test('an impossible subscription is refused with its code, and the socket stays open', async () => {
    const [c, d] = [await create(), await create()]
    const missingId = newId()
    const client = new LiveClient(server)
    await client.opened
    const cases = [
      [{ c: missingId }, 'conversation-not-found'],
      [{ c, cursor: encodeCursor(d, 1) }, 'cursor-invalid'],
      [{ c, cursor: 'mangled' }, 'cursor-invalid'],
      [{ c, cursor: encodeCursor(c, 1), tail: 1 }, 'field-invalid'],
      [{ c, tail: 201 }, 'field-invalid'],
      [{ c: 'nothing' }, 'id-invalid'],
    ] as const
    for (const [index, [fields, code]] of cases.entries()) {
      client.send({ t: 'sub', id: `${index}`, ...fields })
      expect(await client.until('problem', ({ id }) => id === `${index}`)).toMatchObject({ code })
    }
    client.send({ t: 'sub', id: 'ahead', c, cursor: encodeCursor(c, 9) })
    expect(await client.until('reset')).toMatchObject({ id: 'ahead', c, reason: 'cursor-ahead' })
    for (let n = 0; n < 4; n += 1) client.send({ t: 'sub', id: `n${n}`, c: await create() })
    expect(await client.until('problem', ({ id }) => id === 'n3')).toMatchObject({
      code: 'subscriptions-too-many',
    })
    expect(client.closed).toBeUndefined()
    client.close()
  })
})

describe('recording', () => {
  test('the writes of a socket are answered in order, and a key is recorded once', async () => {
    const c = await create()
    const client = new LiveClient(server, `?conversation=${c}`)
    await client.until('live')
    for (let n = 0; n < 20; n += 1)
      client.send({ t: 'record', id: `${n}`, key: `key-${n}`, c, turn: turn(`turn ${n}`) })
    client.send({ t: 'attach', id: 'a', c, ttsAudioUrls: ['https://a.example/last'] })
    client.send({ t: 'record', id: 'again', key: 'key-3', c, turn: turn('turn 3') })
    client.send({ t: 'record', id: 'none', c, turn: { assistant: { responses: ['[SPLIT]'] } } })
    client.send({ t: 'record', id: 'ai', c, turn: { assistant: { responses: ['alone'] } } })
    const alone = await client.until('recorded', ({ id }) => id === 'ai')
    expect(alone).toMatchObject({ version: 23, humanMessageId: null })
    await client.reaches(c, 23)
    const { messages } = client.copy(c).state
    expect(messages.filter(({ role }) => role === 'human').map(({ content }) => content)).toEqual(
      Array.from({ length: 20 }, (_, n) => `turn ${n}`),
    )
    expect(messages.at(-2)?.ttsAudioUrls).toEqual(['https://a.example/last'])
    const answers = client.of('recorded')
    expect(answers.find(({ id }) => id === 'again')).toMatchObject({ version: 5, replayed: true })
    expect(answers.find(({ id }) => id === 'none')).toMatchObject({
      version: 22,
      humanMessageId: null,
      assistantMessageId: null,
    })
    expect(client.of('attached')).toMatchObject([{ id: 'a', messageId: messages.at(-2)?.id }])
    client.close()
  })

  test('a refused turn has a problem with the pointers of its errors in the frame', async () => {
    const c = await create()
    const client = new LiveClient(server)
    await client.opened
    client.send({ t: 'record', id: '1', c, turn: { user: { text: 1 }, assistant: {} } })
    const { errors } = await client.until('problem')
    expect(errors?.map(({ pointer }) => pointer)).toEqual([
      '/turn/user/text',
      '/turn/assistant/responses',
    ])
    client.send({ t: 'record', id: '2', c: newId(), turn: turn('x') })
    expect(await client.until('problem', ({ id }) => id === '2')).toMatchObject({ status: 404 })
    client.send({ t: 'record', id: '3', key: 'k', c, turn: turn('x') })
    client.send({ t: 'record', id: '4', key: 'k', c, turn: turn('y') })
    expect(await client.until('problem', ({ id }) => id === '4')).toMatchObject({
      code: 'idempotency-conflict',
    })
    client.send({ t: 'attach', id: '5', c, part: 7, ttsAudioUrl: 'https://a.example/7' })
    expect(await client.until('problem', ({ id }) => id === '5')).toMatchObject({
      code: 'part-out-of-range',
    })
    client.close()
  })

  test('a turn in a frame has the limits and the problem codes of REST', async () => {
    const c = await create()
    const client = new LiveClient(server)
    const { limits } = await client.until('welcome')
    const spare = JSON.stringify(turn('')).length
    const sized = (bytes: number) => ({
      user: { text: 'x'.repeat(bytes - spare) },
      assistant: { responses: ['!'] },
    })
    const turnBytes = 131_072
    expect(JSON.stringify(sized(turnBytes))).toHaveLength(turnBytes)
    expect(limits.frameBytes).toBeGreaterThan(turnBytes)
    const [largest, key] = [sized(turnBytes), 'k'.repeat(255)]
    client.send({ t: 'record', id: 'i'.repeat(128), key, c, turn: largest })
    await client.until('recorded')
    client.send({ t: 'record', id: 'more', c, turn: sized(turnBytes + 1) })
    expect(await client.until('problem')).toMatchObject({ id: 'more', c, code: 'body-too-large' })
    for (const [n, key] of ['', 'two words', 'ü', 'k'.repeat(256)].entries()) {
      client.send({ t: 'record', id: `${n}`, key, c, turn: turn('x') })
      const { code, errors } = await client.until('problem', ({ id }) => id === `${n}`)
      expect([code, errors?.[0]?.pointer]).toEqual(['idempotency-key-invalid', '/key'])
    }
    client.close()
  })
})

describe('interim texts', () => {
  test('interim texts reach followers, a new follower gets the latest one, and none arrives after the message', async () => {
    const c = await create()
    const [speaker, reader] = [new LiveClient(server), new LiveClient(server, `?conversation=${c}`)]
    await Promise.all([speaker.opened, reader.until('live')])
    for (let n = 0; n <= 500; n += 1)
      speaker.send({ t: 'partial', c, role: 'human', text: `text ${n}` })
    await reader.until('partial', ({ text }) => text === 'text 500')
    // The service sends 25 a second, and all texts were sent within much less than two seconds.
    expect(reader.of('partial').length).toBeLessThan(50)
    const late = new LiveClient(server, `?conversation=${c}`)
    await late.until('partial', ({ text }) => text === 'text 500')
    speaker.send({ t: 'record', id: '1', c, turn: turn('text') })
    await speaker.until('recorded')
    await late.reaches(c, 2)
    const later = new LiveClient(server, `?conversation=${c}`)
    await later.until('live')
    later.send({ t: 'unsub', c })
    await later.until('unsubscribed')
    expect(later.of('partial')).toEqual([])
    speaker.send({ t: 'partial', c: newId(), role: 'ai', text: 'for a missing conversation' })
    expect(await speaker.until('problem')).toMatchObject({ code: 'conversation-not-found' })
    for (const client of [speaker, reader, late, later]) client.close()
  })
})

describe('a handshake of /v1/live', () => {
  const upgrade = {
    connection: 'upgrade',
    upgrade: 'WebSocket',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'sec-websocket-version': '13',
  }
  const ask = (path: string, headers: Record<string, string> = {}) =>
    fetch(`${server.url}${path}`, { headers })

  test('a handshake that cannot become a socket is refused with a problem', async () => {
    const c = await create()
    const cases: [string, Record<string, string>, number, string][] = [
      ['/v1/live', {}, 426, 'upgrade-required'],
      ['/v1/live', { upgrade: 'websocket' }, 426, 'upgrade-required'],
      ['/v1/live', { ...upgrade, origin: 'https://evil.example' }, 403, 'origin-refused'],
      ['/v1/live', { ...upgrade, 'sec-websocket-protocol': 'v9' }, 400, 'protocol-unsupported'],
      ['/v1/live?conversation=x', upgrade, 422, 'id-invalid'],
      ['/v1/live?tail=3', upgrade, 422, 'field-invalid'],
      [`/v1/live?conversation=${c}&tail=201`, upgrade, 422, 'limit-invalid'],
      [`/v1/live?conversation=${c}&tail=1&cursor=x`, upgrade, 422, 'field-invalid'],
      [`/v1/live?conversations=${c}`, upgrade, 422, 'field-unknown'],
    ]
    for (const [path, headers, status, code] of cases) {
      const response = await ask(path, headers)
      expect([path, response.status, await response.json()]).toMatchObject([path, status, { code }])
    }
  })

  test('a handshake is accepted with or without the subprotocol, and from a page on localhost', async () => {
    const offered = new LiveClient(server, '', { protocols: ['turnlog.v1', 'bearer.x'] })
    await offered.until('welcome')
    expect(offered.socket.protocol).toBe('turnlog.v1')
    offered.close()
    const plain = new LiveClient(server)
    await plain.until('welcome')
    expect(plain.socket.protocol).toBe('')
    plain.close()
    const page = await RawSocket.open(server.url, '/v1/live', { origin: 'http://localhost:5173' })
    await until('the page is welcome', () => page.texts.length === 1)
    page.socket.destroy()
  })
})
