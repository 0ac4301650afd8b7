/** The frames of voice agents, on a real app over a real socket. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import type { Listening } from '../../src/http/listen.ts'
import { LiveClient } from '../support/live/live.ts'
import { type TestApp, testApp } from '../support/servers/app.ts'
import { until } from '../support/servers/processes.ts'

let app: TestApp
let server: Listening
beforeAll(async () => {
  app = await testApp({ overrides: { voice: { sessionGraceSeconds: 1, seatsMax: 3 } } })
  server = app.listen({ host: '127.0.0.1', port: 0 })
}, 60_000)
afterAll(async () => {
  await server.stop(2000)
  await app[Symbol.asyncDispose]()
})

const create = async () => String((await app.ask('POST', '/v1/conversations', {})).body['id'])
const hashOf = (text: string) => createHash('sha256').update(text).digest('hex')

async function agent() {
  const client = new LiveClient(server)
  await client.until('welcome')
  return client
}

async function watcher(c: string) {
  const client = new LiveClient(server, `?conversation=${c}`)
  await client.until('live')
  return client
}

describe('a spoken turn', () => {
  test('a seat gets its seq before its words, and followers see both halves arrive', async () => {
    const c = await create()
    const [speaker, reader] = [await agent(), await watcher(c)]
    speaker.send({ t: 'turn.open', id: 'o', c, key: 'k' })
    const seat = await speaker.until('turn.opened')
    expect(seat).toMatchObject({ id: 'o', seq: 1, version: 2, replayed: false })
    await reader.reaches(c, 2)
    expect(reader.copy(c).state.messages).toMatchObject([{ seq: 1, state: 'pending' }])
    speaker.send({ t: 'partial', c, role: 'human', text: 'I would' })
    expect(await reader.until('partial')).toMatchObject({ role: 'human', text: 'I would' })
    // The halves may be sent in any order, without waiting.
    const responses = ['One moment.', 'Done.']
    speaker.send({ t: 'turn.complete', id: 'a', c, key: 'k', assistant: { responses } })
    speaker.send({ t: 'turn.complete', id: 'u', c, key: 'k', user: { text: 'I would like tea' } })
    speaker.send({ t: 'turn.complete', id: 'r', c, key: 'k', user: { text: 'I would like tea' } })
    speaker.send({ t: 'turn.complete', id: 'x', c, key: 'k', user: { text: 'Coffee' } })
    expect(await speaker.until('problem')).toMatchObject({ id: 'x', code: 'idempotency-conflict' })
    const done = speaker.frames.filter((frame) => frame.t === 'turn.completed')
    expect(done).toMatchObject([
      { id: 'a', version: 3, replayed: false },
      { id: 'u', version: 4, replayed: false },
      { id: 'r', version: 4, replayed: true },
    ])
    await reader.reaches(c, 4)
    expect(reader.copy(c).state.messages).toMatchObject([
      { seq: 1, role: 'human', state: 'filled', content: 'I would like tea' },
      { seq: 2, role: 'ai', content: 'One moment.[SPLIT]Done.' },
    ])
    speaker.close()
    reader.close()
  })

  test('an interruption is delivered, and an LLM history shows only the heard part', async () => {
    const c = await create()
    const [speaker, reader] = [await agent(), await watcher(c)]
    speaker.send({
      ...{ t: 'record', id: 'r', c, key: 'k' },
      turn: { user: { text: 'u' }, assistant: { responses: ['One two', 'three'] } },
    })
    const { assistantMessageId: messageId } = await speaker.until('recorded')
    speaker.send({ t: 'interrupt', id: 'i', c, messageId, heard: { characters: 3 } })
    expect(await speaker.until('interrupted')).toMatchObject({ id: 'i', version: 3, messageId })
    await reader.reaches(c, 3)
    expect(reader.copy(c).state.messages[1]).toMatchObject({
      content: 'One two[SPLIT]three',
      heard: { characters: 3 },
    })
    const contents = async (query: string) => {
      const { body } = await app.ask('GET', `/v1/conversations/${c}/history${query}`)
      return (body['messages'] as { content: string }[]).map(({ content }) => content)
    }
    expect(await contents('?format=openai')).toEqual(['u', 'One'])
    expect(await contents('?format=openai&view=said')).toEqual(['u', 'One two[SPLIT]three'])
    expect(await contents('')).toEqual(['u', 'One two[SPLIT]three'])
    expect(await contents('?view=heard')).toEqual(['u', 'One'])
    speaker.send({ t: 'interrupt', id: 'j', c, messageId, heard: { parts: 3 } })
    expect(await speaker.until('problem')).toMatchObject({ id: 'j', code: 'heard-out-of-range' })
    speaker.close()
    reader.close()
  })

  test('a turn takes the audio that arrived before it', async () => {
    const c = await create()
    const speaker = await agent()
    const part = { part: 1, ttsAudioUrl: 'https://a.example/2', textHash: hashOf('b') }
    speaker.send({ t: 'attach', id: '1', c, key: 'k', ...part })
    expect(await speaker.until('attached')).toMatchObject({
      ...{ id: '1', messageId: null },
      heldUntil: expect.any(String),
    })
    speaker.send({ t: 'turn.open', c, key: 'k' })
    speaker.send({ t: 'turn.complete', c, key: 'k', assistant: { responses: ['a', 'b'] } })
    await speaker.until('turn.completed')
    const { body } = await app.ask('GET', `/v1/conversations/${c}/messages`)
    expect(body['messages']).toMatchObject([{ ttsAudioUrls: [null, 'https://a.example/2'] }])
    speaker.close()
  })

  test('a turn.open past voice.seatsMax is refused with seats-too-many', async () => {
    const c = await create()
    const speaker = await agent()
    for (const n of [1, 2, 3, 4]) speaker.send({ t: 'turn.open', id: `${n}`, c, key: `k${n}` })
    expect(await speaker.until('problem')).toMatchObject({ id: '4', code: 'seats-too-many' })
    speaker.close()
  })
})

describe('a voice session', () => {
  const session = async (c: string) =>
    (await app.ask('GET', `/v1/conversations/${c}/voice-sessions/s`)).body

  test('a voice session lasts while one of its sockets is open, and ends after the last has closed', async () => {
    const c = await create()
    const reader = await watcher(c)
    const [first, second] = [await agent(), await agent()]
    for (const each of [first, second]) {
      each.send({ t: 'voice.start', id: 'v', c, sessionId: 's', metadata: { room: 1 } })
      expect(await each.until('voice.started')).toMatchObject({
        id: 'v',
        sessionId: 's',
        version: 2,
      })
    }
    await reader.reaches(c, 2)
    first.terminate()
    // The wait is longer than the grace period. The second socket keeps the session open.
    await Bun.sleep(2500)
    expect(await session(c)).toMatchObject({ endedAt: null, metadata: { room: 1 } })
    second.terminate()
    await until('the session has ended', async () => (await session(c))['endedAt'] !== null, 10_000)
    await reader.reaches(c, 3)
    reader.close()
  }, 20_000)

  test('a second voice.end is refused with voice-session-ended', async () => {
    const c = await create()
    const speaker = await agent()
    speaker.send({ t: 'voice.start', c, sessionId: 's' })
    speaker.send({ t: 'voice.end', id: '1', c, sessionId: 's' })
    speaker.send({ t: 'voice.end', id: '2', c, sessionId: 's' })
    expect(await speaker.until('problem')).toMatchObject({ id: '2', code: 'voice-session-ended' })
    expect(speaker.frames).toContainEqual(expect.objectContaining({ t: 'voice.ended', id: '1' }))
    speaker.close()
  })
})
