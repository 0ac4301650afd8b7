/** Status codes of the routes of conversations, and of reads. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { newId } from '../../../src/conversation/wire/ids.ts'
import { newConversation, outcomeOf } from '../../support/servers/answers.ts'
import { type TestApp, testApp } from '../../support/servers/app.ts'

let app: TestApp

const conversation = () => newConversation(app)

const turn = { user: { text: 'Hello' }, assistant: { responses: ['Hi', 'there'] } }

const outcome = (...request: Parameters<TestApp['ask']>) => outcomeOf(app, ...request)

async function erased() {
  const path = await conversation()
  await app.ask('DELETE', path)
  return path
}

beforeAll(async () => {
  app = await testApp({ overrides: { limits: { historyMessagesMax: 5, partsMax: 3, urlsMax: 3 } } })
})

afterAll(() => app[Symbol.asyncDispose]())

describe('POST /v1/conversations', () => {
  test('the same body creates a conversation once: first 201, then 200', async () => {
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
    const twin = { externalId: body.externalId }
    expect(await outcome('POST', '/v1/conversations', twin)).toEqual([409, 'external-id-taken'])
  })

  test('a new conversation that breaks a rule is refused with the code of the rule', async () => {
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
  test('the pages of the list contain every conversation', async () => {
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

describe('GET, PATCH and DELETE of a conversation', () => {
  test('a conversation is read with its version as the ETag', async () => {
    const path = await conversation()
    await app.ask('POST', `${path}/turns`, turn)
    const { status, headers, body } = await app.ask('GET', path)
    expect([status, headers.get('etag'), body.version]).toEqual([200, '"2"', 2])
  })

  test('a patch changes only the fields that it names, and null removes a member', async () => {
    const path = await conversation()
    const patched = await app.ask('PATCH', path, { title: 'T', metadata: { a: 1, b: 2 } })
    expect([patched.status, patched.headers.get('etag')]).toEqual([200, '"2"'])
    const again = await app.ask('PATCH', path, { title: null, metadata: { a: null } })
    expect(again.body).toMatchObject({ title: null, metadata: { b: 2 }, version: 3 })
    expect(await outcome('PATCH', path, { id: newId() })).toEqual([422, 'field-unknown'])
    expect(await outcome('PATCH', path, [])).toEqual([422, 'field-invalid'])
    const externalId = newId()
    await app.ask('POST', '/v1/conversations', { externalId })
    expect(await outcome('PATCH', path, { externalId })).toEqual([409, 'external-id-taken'])
  })

  test('a second erasure returns the receipt of the first', async () => {
    const path = await conversation()
    await app.ask('POST', `${path}/turns`, turn)
    await app.ask('POST', `${path}/segments`)
    const { status, body } = await app.ask('DELETE', path)
    expect([status, body.messages, body.segments]).toEqual([200, 2, 1])
    expect((await app.ask('DELETE', path)).body).toEqual(body)
  })

  test('a conversation that does not exist is a 404 on every route', async () => {
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

  test('an erased conversation is a 410 on every route', async () => {
    const path = await erased()
    const refusal = [410, 'conversation-erased']
    for (const rest of [
      '',
      '/messages',
      '/history',
      '/changes',
      '/segments',
      `/segments/${newId()}`,
    ])
      expect(await outcome('GET', `${path}${rest}`)).toEqual(refusal)
    expect(await outcome('PATCH', path, { title: 'a' })).toEqual(refusal)
    expect(await outcome('POST', `${path}/turns`, turn)).toEqual(refusal)
    expect(await outcome('POST', `${path}/segments`)).toEqual(refusal)
    const audio = { ttsAudioUrls: ['https://a.example/1'] }
    expect(await outcome('PUT', `${path}/tts`, audio)).toEqual(refusal)
    const id = path.split('/').at(-1)
    expect(await outcome('POST', '/v1/conversations', { id })).toEqual(refusal)
  })
})

describe('GET messages, history and changes', () => {
  test('a page, the history and the changes contain the same messages', async () => {
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

  test('a history with too many messages is refused with history-too-long unless `last` is sent', async () => {
    const path = await conversation()
    for (let each = 1; each <= 3; each += 1) await app.ask('POST', `${path}/turns`, turn)
    const { status, body } = await app.ask('GET', `${path}/history`)
    expect([status, body.code]).toEqual([422, 'history-too-long'])
    expect((await app.ask('GET', `${path}/history?last=5`)).body.messages).toHaveLength(5)
  })

  test('a long message is read complete', async () => {
    const path = await conversation()
    const text = 'é'.repeat(20_000)
    await app.ask('POST', `${path}/turns`, { assistant: { responses: [text] } })
    const { body } = await app.ask('GET', `${path}/messages`)
    expect(body.messages).toMatchObject([{ content: text }])
  })
})
