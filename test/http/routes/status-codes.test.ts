/** Every route: its statuses, its headers, and the problems of what it is asked to do. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { newId } from '../../../src/conversation/wire/ids.ts'
import { type TestApp, testApp } from '../../support/servers/app.ts'

let app: TestApp
beforeAll(async () => {
  app = await testApp({ overrides: { limits: { historyMessagesMax: 5, partsMax: 3, urlsMax: 3 } } })
})
afterAll(() => app[Symbol.asyncDispose]())

const conversation = async () => {
  const { body } = await app.ask('POST', '/v1/conversations', {})
  return `/v1/conversations/${String(body.id)}`
}

const turn = { user: { text: 'Hello' }, assistant: { responses: ['Hi', 'there'] } }

/** Status and code of an answer. */
async function outcome(method: string, path: string, body?: unknown, headers: HeadersInit = {}) {
  const answer = await app.ask(method, path, body, headers)
  return answer.body.code === undefined ? answer.status : [answer.status, answer.body.code]
}

async function erased() {
  const path = await conversation()
  await app.ask('DELETE', path)
  return path
}

describe('POST /v1/conversations', () => {
  test('creates once, and answers the same body again with 200', async () => {
    const body = { id: newId(), externalId: newId(), title: 'T', metadata: { a: [1] } }
    const first = await app.ask('POST', '/v1/conversations', body)
    expect([first.status, first.headers.get('etag')]).toEqual([201, '"1"'])
    expect(first.headers.get('location')).toBe(`/v1/conversations/${body.id}`)
    expect(first.body).toMatchObject({ ...body, version: 1, lastSeq: 0, erasedAt: null })
    await app.ask('POST', `/v1/conversations/${body.id}/turns`, turn)
    const second = await app.ask('POST', '/v1/conversations', body)
    expect([second.status, second.body.version, second.headers.get('etag')]).toEqual([
      200,
      2,
      '"2"',
    ])
    const other = { ...body, title: 'U' }
    expect(await outcome('POST', '/v1/conversations', other)).toEqual([409, 'conversation-taken'])
    const taken = { externalId: body.externalId }
    expect(await outcome('POST', '/v1/conversations', taken)).toEqual([409, 'external-id-taken'])
  })

  test('refuses a body that breaks a rule', async () => {
    const refused = [
      [{ id: 'x' }, 'id-invalid'],
      [{ titel: 'x' }, 'field-unknown'],
      [{ title: 1 }, 'field-invalid'],
      [{ title: '\0' }, 'text-invalid'],
      [{ metadata: { a: 'x'.repeat(20_000) } }, 'json-too-large'],
      [{ createdAt: 'yesterday' }, 'time-invalid'],
      [{ createdAt: null }, 'field-invalid'],
      [{ createdAt: new Date(Date.now() + 3_600_000).toISOString() }, 'time-ahead'],
      [{ id: 'x', titel: 'x' }, 'request-invalid'],
    ] as const
    for (const [body, code] of refused)
      expect(await outcome('POST', '/v1/conversations', body)).toEqual([422, code])
  })
})

describe('GET /v1/conversations', () => {
  test('pages through all of them, the last active first', async () => {
    await using own = await testApp()
    for (let each = 1; each <= 5; each += 1)
      await own.ask('POST', '/v1/conversations', { title: `${each}` })
    const titles: string[] = []
    for (let page: string | null = ''; page !== null; ) {
      const query = page === '' ? '' : `&page=${page}`
      const { body } = await own.ask('GET', `/v1/conversations?limit=2${query}`)
      titles.push(...(body.conversations as { title: string }[]).map(({ title }) => title))
      page = body.nextPage as string | null
    }
    expect(titles.sort()).toEqual(['1', '2', '3', '4', '5'])
  })
})

describe('a conversation', () => {
  test('is read with its version as ETag', async () => {
    const path = await conversation()
    await app.ask('POST', `${path}/turns`, turn)
    const { status, headers, body } = await app.ask('GET', path)
    expect([status, headers.get('etag'), body.version]).toEqual([200, '"2"', 2])
  })

  test('is patched member by member', async () => {
    const path = await conversation()
    const patched = await app.ask('PATCH', path, { title: 'T', metadata: { a: 1, b: 2 } })
    expect([patched.status, patched.headers.get('etag')]).toEqual([200, '"2"'])
    const again = await app.ask('PATCH', path, { title: null, metadata: { a: null } })
    expect(again.body).toMatchObject({ title: null, metadata: { b: 2 }, version: 3 })
    expect(await outcome('PATCH', path, { id: newId() })).toEqual([422, 'field-unknown'])
    expect(await outcome('PATCH', path, [])).toEqual([422, 'field-invalid'])
    const taken = newId()
    await app.ask('POST', '/v1/conversations', { externalId: taken })
    expect(await outcome('PATCH', path, { externalId: taken })).toEqual([409, 'external-id-taken'])
  })

  test('is erased once, and the receipt stays', async () => {
    const path = await conversation()
    await app.ask('POST', `${path}/turns`, turn)
    await app.ask('POST', `${path}/segments`)
    const { status, body } = await app.ask('DELETE', path)
    expect([status, body.messages, body.segments]).toEqual([200, 2, 1])
    expect((await app.ask('DELETE', path)).body).toEqual(body)
  })

  test('that was never there is a 404 on every route', async () => {
    const path = `/v1/conversations/${newId()}`
    const absent = [404, 'conversation-not-found']
    for (const rest of [
      '',
      '/messages',
      '/history',
      '/changes',
      '/segments',
      `/segments/${newId()}`,
    ])
      expect(await outcome('GET', `${path}${rest}`)).toEqual(absent)
    expect(await outcome('DELETE', path)).toEqual(absent)
    expect(await outcome('PATCH', path, { title: 'a' })).toEqual(absent)
    expect(await outcome('POST', `${path}/turns`, turn)).toEqual(absent)
    expect(await outcome('POST', `${path}/turns`, { assistant: { responses: [] } })).toEqual(absent)
    expect(await outcome('POST', `${path}/segments`)).toEqual(absent)
    const audio = { ttsAudioUrls: ['https://a.example/1'] }
    expect(await outcome('PUT', `${path}/tts`, audio)).toEqual(absent)
    expect(await outcome('PUT', `${path}/tts`, { ttsAudioUrls: [] })).toEqual(absent)
    expect(await outcome('PUT', `${path}/messages/${newId()}/tts`, audio)).toEqual(absent)
  })

  test('that was erased is a 410 on every route', async () => {
    const path = await erased()
    const gone = [410, 'conversation-erased']
    for (const rest of [
      '',
      '/messages',
      '/history',
      '/changes',
      '/segments',
      `/segments/${newId()}`,
    ])
      expect(await outcome('GET', `${path}${rest}`)).toEqual(gone)
    expect(await outcome('PATCH', path, { title: 'a' })).toEqual(gone)
    expect(await outcome('POST', `${path}/turns`, turn)).toEqual(gone)
    expect(await outcome('POST', `${path}/segments`)).toEqual(gone)
    const audio = { ttsAudioUrls: ['https://a.example/1'] }
    expect(await outcome('PUT', `${path}/tts`, audio)).toEqual(gone)
    const id = path.split('/').at(-1)
    expect(await outcome('POST', '/v1/conversations', { id })).toEqual(gone)
  })
})

describe('POST turns', () => {
  test('records with 201, replays with 200, and does nothing with 204', async () => {
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

  test('takes offsets without a colon, and a leap second', async () => {
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

  test('refuses a turn that breaks a rule, and writes nothing', async () => {
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

describe('PUT tts', () => {
  const url = 'https://a.example/1.mp3'

  test('attaches to the message named, or to the latest', async () => {
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

  test('refuses what cannot be attached, or cannot be attached to', async () => {
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

describe('reads', () => {
  test('of pages, history and changes agree', async () => {
    const path = await conversation()
    await app.ask('POST', `${path}/turns`, turn)
    const page = (await app.ask('GET', `${path}/messages`)).body
    const history = (await app.ask('GET', `${path}/history`)).body
    const changes = (await app.ask('GET', `${path}/changes`)).body
    expect(page).toMatchObject({ hasMore: false, version: 2 })
    expect(history.messages).toEqual(page.messages)
    expect(changes).toMatchObject({ from: 0, version: 2, messages: page.messages, hasMore: false })
    const nothing = (await app.ask('GET', `${path}/changes?since=${String(changes.cursor)}`)).body
    expect(nothing).toMatchObject({ from: 2, version: 2, cursor: changes.cursor, messages: [] })
  })

  test('of a history past its bound say how else to ask', async () => {
    const path = await conversation()
    for (let each = 1; each <= 3; each += 1) await app.ask('POST', `${path}/turns`, turn)
    const { status, body } = await app.ask('GET', `${path}/history`)
    expect([status, body.code]).toEqual([422, 'history-too-long'])
    expect((await app.ask('GET', `${path}/history?last=5`)).body.messages).toHaveLength(5)
  })

  test('of an answer that is long are whole', async () => {
    const path = await conversation()
    const text = 'é'.repeat(20_000)
    await app.ask('POST', `${path}/turns`, { assistant: { responses: [text] } })
    const { body } = await app.ask('GET', `${path}/messages`)
    expect(body.messages).toMatchObject([{ content: text }])
  })
})

describe('segments', () => {
  test('are created once, listed and read', async () => {
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
