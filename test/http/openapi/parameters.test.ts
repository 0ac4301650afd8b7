/** The problems of wrong parameters in a path and a query. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { appWithPages, refusalOf } from '../../support/servers/answers.ts'
import { type TestApp, testApp } from '../../support/servers/app.ts'

let app: TestApp

let id: string

let base: string

const refused = (path: string, headers?: HeadersInit) => refusalOf(app, path, headers)

beforeAll(async () => {
  ;({ app, id, base } = await appWithPages())
})

afterAll(() => app[Symbol.asyncDispose]())

describe('an id in a path', () => {
  const wrong = [
    'abc',
    '1',
    `${'0'.repeat(36)}`,
    '%00',
    '%zz',
    '%ff',
    "'",
    '0199c3a4-7d1e-7b52-9f10-3c6d2a9b4e0g',
  ]

  test('an id in a path that is no UUID is refused with id-invalid, which names the parameter', async () => {
    const right = '0199c3a4-7d1e-7b52-9f10-3c6d2a9b4e01'
    for (const each of wrong) {
      for (const rest of ['', '/messages', '/history', '/changes', '/segments'])
        expect(await refused(`/v1/conversations/${each}${rest}`)).toEqual([
          'id-invalid',
          'path /id',
        ])
      expect(await refused(`${base}/segments/${each}`)).toEqual(['id-invalid', 'path /sid'])
      const audio = await app.ask('PUT', `/v1/conversations/${right}/messages/${each}/tts`, {})
      expect([audio.status, audio.body.code]).toEqual([422, 'id-invalid'])
    }
    expect(await refused('/v1/conversations/x/segments/y')).toEqual([
      'id-invalid',
      'path /id',
      'path /sid',
    ])
  })

  test('an id in capitals names the same conversation', async () => {
    const { status, body } = await app.ask('GET', `/v1/conversations/${id.toUpperCase()}/history`)
    expect([status, body.conversationId]).toEqual([200, id])
  })
})

describe('a query', () => {
  test('an unknown query parameter is refused on every route of the API', async () => {
    for (const path of [
      '',
      `/${id}`,
      `/${id}/messages`,
      `/${id}/history`,
      `/${id}/changes`,
      `/${id}/segments`,
    ])
      expect(await refused(`/v1/conversations${path}?lmit=1`)).toEqual([
        'field-unknown',
        'query /lmit',
      ])
    const before = (await app.ask('GET', base)).body.version
    const turn = { assistant: { responses: ['x'] } }
    for (const [method, path, body] of [
      ['POST', '/v1/conversations', {}],
      ['POST', `${base}/turns`, turn],
      ['POST', `${base}/segments`, {}],
      ['PATCH', base, { title: 'x' }],
      ['DELETE', base, undefined],
      ['PUT', `${base}/tts`, { ttsAudioUrls: ['https://a.example'] }],
    ] as const) {
      const answer = await app.ask(method, `${path}?dryRun=true`, body)
      expect([answer.status, answer.body.code]).toEqual([422, 'field-unknown'])
    }
    expect((await app.ask('GET', base)).body.version).toBe(before)
  })

  test('the query of a URL may be empty, but a repeated parameter is refused', async () => {
    expect((await app.ask('GET', `${base}/messages?`)).status).toBe(200)
    expect((await app.ask('GET', `${base}/messages?&limit=1&&order=desc&`)).status).toBe(200)
    expect(await refused(`${base}/messages?limit=1&limit=2`)).toEqual([
      'field-invalid',
      'query /limit',
    ])
    expect(await refused(`${base}/messages?limit=1&li%6dit=1`)).toEqual([
      'field-invalid',
      'query /limit',
    ])
  })

  test('a query that is not percent-encoded UTF-8 is refused', async () => {
    expect(await refused('/v1/conversations?externalId=%ff')).toEqual([
      'field-invalid',
      'query /externalId',
    ])
    expect(await refused('/v1/conversations?externalId=%')).toEqual([
      'field-invalid',
      'query /externalId',
    ])
    expect(await refused('/v1/conversations?%zz=1')).toEqual(['field-invalid', 'query /%zz'])
    expect(await refused('/v1/conversations?a%2Fb~=1')).toEqual(['field-unknown', 'query /a~1b~0'])
    expect((await refused(`/v1/conversations?${'x'.repeat(5000)}=1`)).join('').length).toBeLessThan(
      200,
    )
  })

  test('one problem names every wrong parameter of a request', async () => {
    const path =
      '/v1/conversations/x/messages?limit=0&after=-1&before=b&order=up&consistency=&nope&minCursor='
    expect(await refused(path)).toEqual([
      'request-invalid',
      'query /nope',
      'path /id',
      'query /after',
      'query /before',
      'query /limit',
      'query /order',
      'query /consistency',
      'query /minCursor',
    ])
  })
})

describe('the parameters limit and last', () => {
  test('a limit out of range is refused with limit-invalid, and the detail names the range', async () => {
    const lists = ['/v1/conversations', `${base}/messages`, `${base}/changes`, `${base}/segments`]
    for (const list of lists)
      for (const limit of [
        '0',
        '-1',
        '121',
        '1e9',
        '1000000000',
        'abc',
        '',
        '1.0',
        '+1',
        '0x1',
        '%201',
        '9'.repeat(400),
      ]) {
        const { status, body } = await app.ask('GET', `${list}?limit=${limit}`)
        expect([limit, status, body.code]).toEqual([limit, 422, 'limit-invalid'])
        expect(body.detail).toContain('from 1 to 120 (the setting limits.pageLimitMax)')
      }
  })

  test('the lowest and the highest value of `limit` are accepted', async () => {
    for (const limit of [1, 120]) {
      const { body } = await app.ask('GET', `${base}/messages?limit=${limit}`)
      expect(body.messages).toHaveLength(Math.min(limit, 6))
    }
  })

  test('the default of a limit never exceeds a maximum that a setting lowers', async () => {
    await using narrow = await testApp({ overrides: { limits: { pageLimitMax: 2 } } })
    for (let each = 1; each <= 3; each += 1) await narrow.ask('POST', '/v1/conversations', {})
    const { status, body } = await narrow.ask('GET', '/v1/conversations')
    expect([status, (body.conversations as unknown[]).length]).toEqual([200, 2])
  })

  test('`last` of a history is a number from 1 to limits.historyMessagesMax', async () => {
    for (const last of ['0', '-1', '31', 'all']) {
      const { status, body } = await app.ask('GET', `${base}/history?last=${last}`)
      expect([status, body.code]).toEqual([422, 'limit-invalid'])
      expect(body.detail).toContain('from 1 to 30 (the setting limits.historyMessagesMax)')
    }
    expect((await app.ask('GET', `${base}/history?last=2`)).body.messages).toHaveLength(2)
  })

  test('`lastTurns` of a history has the bounds of `last`, and is refused together with it', async () => {
    for (const turns of ['0', '-1', '31', 'all']) {
      const { status, body } = await app.ask('GET', `${base}/history?lastTurns=${turns}`)
      expect([status, body.code]).toEqual([422, 'limit-invalid'])
      expect(body.detail).toContain('from 1 to 30 (the setting limits.historyMessagesMax)')
    }
    const { status, body } = await app.ask('GET', `${base}/history?last=1&lastTurns=1`)
    expect([status, body.code]).toEqual([422, 'field-invalid'])
    expect(body.detail).toContain('together with `last`')
    expect((await app.ask('GET', `${base}/history?lastTurns=1`)).status).toBe(200)
  })
})

describe('a parameter with options', () => {
  test('a query parameter with options accepts exactly its options', async () => {
    expect(await refused(`${base}/messages?order=ASC`)).toEqual(['field-invalid', 'query /order'])
    expect(await refused(`${base}/messages?consistency=weak`)).toEqual([
      'field-invalid',
      'query /consistency',
    ])
    expect(await refused(`${base}/history?format=OpenAI`)).toEqual([
      'field-invalid',
      'query /format',
    ])
    for (const query of ['consistency=strong', 'consistency=eventual'])
      expect((await app.ask('GET', `${base}/history?${query}`)).status).toBe(200)
    for (const format of ['turnlog', 'openai', 'langchain'])
      expect((await app.ask('GET', `${base}/history?format=${format}`)).status).toBe(200)
  })

  test('`order`, `after` and `before` choose the messages of a page and their order', async () => {
    const seqs = async (query: string) => {
      const { body } = await app.ask('GET', `${base}/messages?${query}`)
      return (body.messages as { seq: number }[]).map(({ seq }) => seq)
    }
    expect(await seqs('limit=2')).toEqual([1, 2])
    expect(await seqs('order=desc&limit=2')).toEqual([6, 5])
    expect(await seqs('after=2&limit=2')).toEqual([3, 4])
    expect(await seqs('before=5&after=0')).toEqual([1, 2, 3, 4])
    expect(await seqs(`after=${Number.MAX_SAFE_INTEGER}`)).toEqual([])
  })
})

describe('the parameters after and before', () => {
  test('`after` and `before` accept only whole numbers up to 2^53 - 1', async () => {
    for (const bound of ['-1', '1.5', 'x', '', '9007199254740992', '99999999999999999999'])
      for (const name of ['after', 'before'])
        expect(await refused(`${base}/messages?${name}=${bound}`)).toEqual([
          'field-invalid',
          `query /${name}`,
        ])
  })
})
