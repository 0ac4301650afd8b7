/** Status codes of the routes of turns, audio and segments. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { newId } from '../../../src/conversation/wire/ids.ts'
import { newConversation, outcomeOf } from '../../support/servers/answers.ts'
import { type TestApp, testApp } from '../../support/servers/app.ts'

let app: TestApp

const conversation = () => newConversation(app)

const turn = { user: { text: 'Hello' }, assistant: { responses: ['Hi', 'there'] } }

const outcome = (...request: Parameters<TestApp['ask']>) => outcomeOf(app, ...request)

beforeAll(async () => {
  app = await testApp({ overrides: { limits: { historyMessagesMax: 5, partsMax: 3, urlsMax: 3 } } })
})

afterAll(() => app[Symbol.asyncDispose]())

describe('POST /turns', () => {
  test('a turn is recorded with 201, replayed with 200, and a turn without responses is 204', async () => {
    const path = await conversation()
    const key = { 'idempotency-key': 'k-1' }
    expect(
      await outcome('POST', `${path}/turns`, { ...turn, assistant: { responses: [''] } }, key),
    ).toBe(204)
    const first = await app.ask('POST', `${path}/turns`, turn, key)
    expect([first.status, first.body.replayed, first.body.version]).toEqual([201, false, 2])
    const second = await app.ask('POST', `${path}/turns`, turn, key)
    expect([second.status, second.body]).toEqual([200, { ...first.body, replayed: true }])
    const other = { ...turn, user: { text: 'Bye' } }
    expect(await outcome('POST', `${path}/turns`, other, key)).toEqual([
      409,
      'idempotency-conflict',
    ])
    expect((await app.ask('GET', path)).body.lastSeq).toBe(2)
  })

  test('times with an offset without a colon, or with a leap second, are accepted', async () => {
    const path = await conversation()
    const user = { text: 'a', at: '2024-05-20T10:13:21.5+0200' }
    const assistant = { responses: ['b'], at: '2024-05-20T08:13:60.5+00' }
    const { status, body } = await app.ask('POST', `${path}/turns`, { user, assistant })
    expect(status).toBe(201)
    expect(body.messages).toMatchObject([
      { createdAt: '2024-05-20T08:13:21.500000Z' },
      { createdAt: '2024-05-20T08:13:59.999999Z' },
    ])
  })

  test('a turn that breaks a rule is refused with its code, and nothing is written', async () => {
    const path = await conversation()
    const assistant = { responses: ['a'] }
    const soon = new Date(Date.now() + 3_600_000).toISOString()
    const refused = [
      [{}, 'field-missing'],
      [{ assistant: {} }, 'field-missing'],
      [{ assistant, usr: {} }, 'field-unknown'],
      [{ assistant: { responses: 'a' } }, 'field-invalid'],
      [{ assistant: { responses: ['a[SPLIT]b', 'c[SPLIT]d'] } }, 'parts-too-many'],
      [{ assistant: { responses: ['\ud800'] } }, 'text-invalid'],
      [{ assistant: { ...assistant, at: 'noon' } }, 'time-invalid'],
      [{ assistant: { ...assistant, at: soon } }, 'time-ahead'],
      [{ assistant: { ...assistant, ttsAudioUrls: ['ftp://a'] } }, 'url-invalid'],
      [
        { assistant: { ...assistant, ttsAudioUrls: Array(4).fill('https://a.example') } },
        'urls-too-many',
      ],
      [{ assistant: { ...assistant, id: 'x' } }, 'id-invalid'],
      [{ assistant, segment: { id: newId(), agentResponse: 'a' } }, 'segment-without-user'],
    ] as const
    for (const [body, code] of refused)
      expect([code, await outcome('POST', `${path}/turns`, body)]).toEqual([code, [422, code]])
    const unknown = { assistant, segment: { id: newId() } }
    expect(await outcome('POST', `${path}/turns`, unknown)).toEqual([404, 'segment-not-found'])
    expect((await app.ask('GET', path)).body).toMatchObject({ version: 1, lastSeq: 0 })
    const named = { assistant: { ...assistant, id: newId() } }
    expect(await outcome('POST', `${path}/turns`, named)).toBe(201)
    expect(await outcome('POST', `${path}/turns`, named)).toEqual([409, 'id-taken'])
  })
})

describe('PUT /tts', () => {
  const url = 'https://a.example/1.mp3'

  test('audio is attached to the named message, or to the latest AI message', async () => {
    const path = await conversation()
    expect(await outcome('PUT', `${path}/tts`, { ttsAudioUrls: [url] })).toBe(204)
    const { body } = await app.ask('POST', `${path}/turns`, turn)
    const named = `${path}/messages/${String(body.assistantMessageId)}/tts`
    const all = await app.ask('PUT', named, { ttsAudioUrls: [url, null] })
    expect([all.status, all.body.version, all.body.messageId]).toEqual([
      200,
      3,
      body.assistantMessageId,
    ])
    expect(all.body.message).toMatchObject({ ttsAudioUrls: [url, null] })
    const part = await app.ask('PUT', `${path}/tts`, { part: 1, ttsAudioUrl: url })
    expect(part.body.message).toMatchObject({ ttsAudioUrls: [url, url] })
    expect(await outcome('PUT', `${path}/tts`, { ttsAudioUrls: [] })).toBe(204)
  })

  test('wrong audio, and audio for a wrong message, are refused with the code of the rule', async () => {
    const path = await conversation()
    const { body } = await app.ask('POST', `${path}/turns`, turn)
    const all = { ttsAudioUrls: [url] }
    const to = (id: unknown) => `${path}/messages/${String(id)}/tts`
    expect(await outcome('PUT', to(newId()), all)).toEqual([404, 'message-not-found'])
    expect(await outcome('PUT', to(body.humanMessageId), all)).toEqual([422, 'message-not-ai'])
    for (const path_ of [`${path}/tts`, to(body.assistantMessageId)]) {
      expect(await outcome('PUT', path_, { part: 2, ttsAudioUrl: url })).toEqual([
        422,
        'part-out-of-range',
      ])
      expect(await outcome('PUT', path_, { part: 0, ttsAudioUrl: 'x' })).toEqual([
        422,
        'url-invalid',
      ])
      expect(await outcome('PUT', path_, { ttsAudioUrls: Array(4).fill(url) })).toEqual([
        422,
        'urls-too-many',
      ])
      expect(await outcome('PUT', path_, { ...all, segmentId: newId() })).toEqual([
        404,
        'segment-not-found',
      ])
      expect(await outcome('PUT', path_, {})).toEqual([422, 'field-missing'])
    }
  })
})

describe('POST and GET segments', () => {
  test('a segment is created once, listed, and read with the answer that completed it', async () => {
    const path = await conversation()
    const id = newId()
    const first = await app.ask('POST', `${path}/segments`, { id })
    expect([first.status, first.headers.get('location')]).toEqual([201, `${path}/segments/${id}`])
    const second = await app.ask('POST', `${path}/segments`, { id: id.toUpperCase() })
    expect([second.status, second.body]).toEqual([200, first.body])
    const completing = { ...turn, segment: { id, agentResponse: 'Hi' } }
    const { body: recorded } = await app.ask('POST', `${path}/turns`, completing)
    const { body } = await app.ask('GET', `${path}/segments/${id}`)
    expect(body).toMatchObject({ agentResponse: 'Hi', userMessageId: recorded.humanMessageId })
    const list = (await app.ask('GET', `${path}/segments?limit=1`)).body
    expect(list).toMatchObject({ segments: [body], nextPage: null, version: 3 })
    expect(await outcome('GET', `${path}/segments/${newId()}`)).toEqual([404, 'segment-not-found'])
    expect(await outcome('POST', `${path}/segments`, { id: 'x' })).toEqual([422, 'id-invalid'])
  })
})
