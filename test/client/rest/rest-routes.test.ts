/** The client's REST half, on the real app: what it answers, what it tries again, and what it does not. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import {
  type ClientOptions,
  createClient,
  Problem,
  type Retry,
} from '../../../src/client/client.ts'
import { newId } from '../../../src/client/wire/new-ids.ts'
import { documentOf, type TestApp, testApp } from '../../support/servers/app.ts'

let app: TestApp
beforeAll(async () => {
  app = await testApp()
})
afterAll(() => app[Symbol.asyncDispose]())

type Fetch = NonNullable<ClientOptions['fetch']>

const direct: Fetch = (url, init) => app.fetch(new Request(url, init))
const backoff = { firstMs: 1, maxMs: 4 }
const clientOver = (fetch: Fetch, options: Partial<ClientOptions> = {}) =>
  createClient({ url: 'http://turnlog.test/', fetch, backoff, ...options })

/** What each attempt meets, in order; then the app. `lost`: it was carried out, and the answer never came. */
function meeting(...fates: readonly ('reached' | 'unreached' | 'lost' | (() => Response))[]) {
  const sent: { method: string; path: string; key: string | null; body: string }[] = []
  const fetch: Fetch = async (url, init) => {
    const fate = fates[sent.length]
    const headers = new Headers(init.headers)
    sent.push({
      method: init.method ?? '',
      path: new URL(url).pathname + new URL(url).search,
      key: headers.get('idempotency-key'),
      body: typeof init.body === 'string' ? init.body : '',
    })
    if (fate === 'unreached') throw new TypeError('connection refused')
    if (typeof fate === 'function') return fate()
    const answer = await direct(url, init)
    if (fate === 'lost') throw new TypeError('socket hang up')
    return answer
  }
  return { fetch, sent }
}

const problem =
  (code: ConstructorParameters<typeof Problem>[0], headers: HeadersInit = {}) =>
  () => {
    const body = new Problem(code).body('r-1')
    return Response.json(body, { status: body.status, headers })
  }

const failure = async (promise: Promise<unknown>): Promise<Problem> => {
  const thrown = await promise.then(
    () => undefined,
    (reason) => reason,
  )
  if (thrown instanceof Problem) return thrown
  throw new Error(`no problem: ${thrown}`)
}

const turn = { user: { text: 'Hello' }, assistant: { responses: ['Hi!', 'What can I do?'] } }

describe('the client over REST', () => {
  test('has a function for every operation of the OpenAPI document, under its name', async () => {
    const { paths } = await documentOf(app)
    const ids = Object.values(paths).flatMap((operations) =>
      Object.values(operations).map((operation) => String(Reflect.get(operation, 'operationId'))),
    )
    const client = clientOver(direct)
    expect(ids.filter((id) => typeof Reflect.get(client, id) !== 'function')).toEqual([])
    expect(ids.length).toBeGreaterThan(15)
  })

  test('does what the routes do', async () => {
    const client = clientOver(direct)
    const created = await client.createConversation({ title: 'one', externalId: 'ext/1' })
    const { id } = created
    expect(await client.getConversation(id)).toEqual(created)
    const list = await client.listConversations({ externalId: 'ext/1' })
    expect(list.conversations).toEqual([created])
    const patched = await client.patchConversation(id, { title: null }, { ifMatch: 1 })
    expect(patched).toMatchObject({ title: null, version: 2 })

    const segment = await client.createSegment(id)
    expect(await client.getSegment(id, segment.id)).toEqual(segment)
    const recorded = await client.recordTurn(id, {
      ...turn,
      segment: { id: segment.id, agentResponse: 'Hi!' },
    })
    expect(recorded).toMatchObject({ version: 4, replayed: false })
    expect(await client.recordTurn(id, { assistant: { responses: [] } })).toBeNull()

    const audio = { ttsAudioUrls: ['https://a.example/1.mp3', null] }
    const attached = await client.attachTts(id, recorded?.assistantMessageId ?? '', audio)
    expect(attached?.message.ttsAudioUrls).toEqual(audio.ttsAudioUrls)
    const part = { part: 1, ttsAudioUrl: 'https://a.example/2.mp3' }
    expect(await client.attachTtsToLatest(id, part)).toMatchObject({ version: 6 })

    const page = await client.listMessages(id, { after: 1, limit: 1, order: 'asc' })
    expect(page).toMatchObject({ hasMore: false, messages: [{ seq: 2 }] })
    const history = await client.getHistory(id, { format: 'openai' })
    expect(history.messages).toEqual([
      { role: 'user', content: 'Hello' },
      { role: 'assistant', content: 'Hi![SPLIT]What can I do?' },
    ])
    expect((await client.getHistory(id, { last: 1 })).messages[0]?.seq).toBe(2)
    expect(await client.listChanges(id)).toMatchObject({ from: 0, version: 6, hasMore: false })
    expect((await client.listSegments(id)).segments[0]?.agentResponse).toBe('Hi!')

    expect(await client.eraseConversation(id)).toMatchObject({ messages: 2, segments: 1 })
    expect((await failure(client.getConversation(id))).code).toBe('conversation-erased')
    expect(await client.getHealth()).toEqual({ status: 'ok' })
    expect((await client.getReadiness()).status).toBe('ready')
  })

  test('tells of a refusal as the service does, in every part', async () => {
    const { fetch, sent } = meeting()
    const client = clientOver(fetch)
    const { id } = await client.createConversation()
    const refused = await failure(
      client.recordTurn(id, JSON.parse('{"assistant":{"responses":[1]},"more":true}')),
    )
    expect(refused).toMatchObject({
      code: 'request-invalid',
      status: 422,
      retryable: false,
      title: 'The request breaks several rules',
    })
    expect(refused.requestId).toMatch(/^[0-9a-f-]{36}$/)
    expect(refused.violations.map(({ pointer }) => pointer).sort()).toEqual([
      '/assistant/responses/0',
      '/more',
    ])
    expect(sent.length).toBe(2)
  })

  test('records once what it had to send three times, under one key', async () => {
    const { fetch, sent } = meeting(() => Response.json({}), 'lost', 'unreached', 'lost')
    const { id } = await clientOver(direct).createConversation()
    const client = clientOver(fetch)
    await client.getHealth()
    const recorded = await client.recordTurn(id, turn)
    expect(recorded).toMatchObject({ version: 2, replayed: true })
    const keys = sent.slice(1).map(({ key }) => key)
    expect(keys.length).toBe(4)
    expect(new Set(keys).size).toBe(1)
    expect((await client.getConversation(id)).lastSeq).toBe(2)
  })

  test('creates one conversation and one segment where the answer was lost', async () => {
    const { fetch, sent } = meeting('lost', 'reached', 'lost')
    const client = clientOver(fetch)
    const { id } = await client.createConversation({ title: 'once' })
    await client.createSegment(id)
    expect((await client.listSegments(id)).segments.length).toBe(1)
    expect(sent[0]?.body).toBe(sent[1]?.body ?? '')
    expect(JSON.parse(sent[0]?.body ?? '')).toEqual({ id, title: 'once' })
  })

  test('never sends again what might do more the second time', async () => {
    const { id } = await clientOver(direct).createConversation()
    await clientOver(direct).recordTurn(id, turn)
    for (const fate of ['lost', problem('outcome-unknown'), problem('internal')] as const) {
      const { fetch, sent } = meeting(fate, fate)
      const client = clientOver(fetch)
      const writes = [
        client.patchConversation(id, { title: 'new' }, { ifMatch: 2 }),
        client.attachTtsToLatest(id, { ttsAudioUrls: ['https://a.example/1.mp3'] }),
      ]
      for (const { code } of await Promise.all(writes.map(failure)))
        expect(['outcome-unknown', 'internal']).toContain(code)
      expect(sent.length).toBe(2)
    }
  })

  test.each([
    'conversation-busy',
    'overloaded',
    'database-unavailable',
    'database-slow',
    'database-full',
    'database-read-only',
    'database-refused',
  ] as const)(
    'sends any write again after %s, which says that nothing was written',
    async (code) => {
      const { id } = await clientOver(direct).createConversation()
      const { fetch, sent } = meeting(problem(code, { 'retry-after': '0' }))
      await clientOver(fetch).patchConversation(id, { title: 'newer' })
      expect(sent.length).toBe(2)
    },
  )

  test('waits as long as the service asks for, and fails at once where that is too long', async () => {
    const { fetch, sent } = meeting(problem('overloaded', { 'retry-after': '1' }))
    const { id } = await clientOver(direct).createConversation()
    const begun = performance.now()
    await clientOver(fetch).recordTurn(id, turn)
    expect(performance.now() - begun).toBeGreaterThan(990)
    expect(sent.length).toBe(2)
    const busy = meeting(problem('overloaded', { 'retry-after': '3600' }))
    const refused = await failure(clientOver(busy.fetch).recordTurn(id, turn))
    expect(refused).toMatchObject({ code: 'overloaded', retryAfterSeconds: 3600, requestId: 'r-1' })
    expect(busy.sent.length).toBe(1)
  })

  test('gives up at its deadline: a read as unreachable, a write as unknown', async () => {
    const never: Fetch = (_, init) =>
      new Promise((_, reject) =>
        init.signal?.addEventListener('abort', () => reject(init.signal?.reason)),
      )
    const client = clientOver(never, { deadlineMs: 60, attemptMs: 20 })
    const id = crypto.randomUUID()
    const [read, write, keyed] = await Promise.all([
      failure(client.getConversation(id)),
      failure(client.recordTurn(id, turn)),
      failure(client.recordTurn(id, turn, { key: 'k' })),
    ])
    expect(read).toMatchObject({ code: 'service-unreachable', retryable: true })
    // The client made its key, so that a second call of the caller would have another one.
    expect(write).toMatchObject({ code: 'outcome-unknown', retryable: false })
    expect(keyed).toMatchObject({ code: 'outcome-unknown', retryable: true })
    const later = meeting('lost', problem('database-unavailable', { 'retry-after': '1' }))
    const unsure = await failure(clientOver(later.fetch).recordTurn(id, turn, { deadlineMs: 900 }))
    // An attempt before the last one may have recorded it.
    expect(unsure.code).toBe('outcome-unknown')
    expect(unsure.cause).toMatchObject({ code: 'database-unavailable' })
  })

  test('with retryForMs begins no attempt later, and cuts none that has begun', async () => {
    const id = crypto.randomUUID()
    const gone = meeting('unreached', 'unreached')
    const once = clientOver(gone.fetch, { retryForMs: 0 })
    expect((await failure(once.getConversation(id))).code).toBe('service-unreachable')
    expect(gone.sent.length).toBe(1)
    const busy = meeting(problem('overloaded', { 'retry-after': '2' }))
    const hurried = clientOver(busy.fetch, { retryForMs: 1500 })
    expect((await failure(hurried.getConversation(id))).code).toBe('overloaded')
    expect(busy.sent.length).toBe(1)
    const slow: Fetch = async (url, init) => {
      await Bun.sleep(50)
      return direct(url, init)
    }
    expect(await clientOver(slow, { retryForMs: 0 }).getHealth()).toEqual({ status: 'ok' })
    expect(() => clientOver(slow, { retryForMs: -1 })).toThrow(RangeError)
  })

  test('calls onRetry with the problem, the failures and the wait before each further attempt', async () => {
    const retries: Retry[] = []
    const { fetch } = meeting('unreached', problem('overloaded', { 'retry-after': '1' }))
    const client = clientOver(fetch, { onRetry: (retry) => retries.push(retry) })
    await client.getHealth()
    expect(retries.map((retry) => [retry.problem.code, retry.failures])).toEqual([
      ['service-unreachable', 1],
      ['overloaded', 2],
    ])
    expect(retries[0]?.waitMs).toBeLessThanOrEqual(backoff.maxMs)
    expect(retries[1]?.waitMs).toBe(1000)
  })

  test('calls onStatus with the status it resolves with: 201 for what it made, 200 for what was there', async () => {
    const { fetch, sent } = meeting(
      'lost',
      'reached',
      problem('overloaded', { 'retry-after': '0' }),
    )
    const client = clientOver(fetch)
    const id = crypto.randomUUID()
    const statuses: number[] = []
    const onStatus = (status: number) => statuses.push(status)
    await client.createConversation({ id: newId() }, { onStatus })
    await client.createConversation({ id: newId() }, { onStatus })
    await failure(client.getConversation(id, { onStatus }))
    await client.listConversations({ limit: 1, onStatus, resend: true })
    expect(statuses).toEqual([200, 201, 200])
    expect(sent.at(-1)?.path).toBe('/v1/conversations?limit=1')
  })

  test('with resend sends again what it would send once, after an answer that was lost', async () => {
    const { id } = await clientOver(direct).createConversation()
    const { fetch, sent } = meeting('lost', problem('internal'), 'reached')
    const patched = await clientOver(fetch).patchConversation(
      id,
      { title: 'again' },
      { resend: true },
    )
    expect(patched).toMatchObject({ title: 'again' })
    expect(sent.length).toBe(3)
  })

  test('stops with the reason of the signal that ends it', async () => {
    const reason = new Error('enough')
    const given = new AbortController()
    const { fetch } = meeting(() => {
      given.abort(reason)
      return problem('overloaded', { 'retry-after': '20' })()
    })
    const call = clientOver(fetch).getConversation(crypto.randomUUID(), { signal: given.signal })
    expect(await call.catch((thrown) => thrown)).toBe(reason)
    const early = clientOver(direct).getHealth({ signal: AbortSignal.abort(reason) })
    expect(await early.catch((thrown) => thrown)).toBe(reason)
  })

  test('knows a proxy from the service, and keeps a code that is newer than itself', async () => {
    const html = (status: number) => () => new Response('<h1>no</h1>', { status })
    const passing = meeting(html(502), html(503), html(429))
    expect(await clientOver(passing.fetch).getHealth()).toEqual({ status: 'ok' })
    const wrong = meeting(html(404))
    expect(await failure(clientOver(wrong.fetch).getHealth())).toMatchObject({
      code: 'answer-unusable',
      status: 404,
      retryable: false,
    })
    const fine = meeting(html(200))
    expect((await failure(clientOver(fine.fetch).getHealth())).code).toBe('answer-unusable')
    const told = {
      type: '/problems/x',
      code: 'x',
      title: 'X',
      status: 418,
      detail: 'y',
      retryable: false,
    }
    const newer = meeting(() => Response.json(told, { status: 418 }))
    const thrown = await failure(clientOver(newer.fetch).getHealth())
    expect(thrown.body()).toEqual(told as never)
  })

  test('reads its own writes from wherever they have come to', async () => {
    const { fetch, sent } = meeting()
    const client = clientOver(fetch)
    const { id } = await client.createConversation()
    const other = await clientOver(direct).createConversation()
    const recorded = await client.recordTurn(id, turn)
    const options = { consistency: 'own-writes' } as const
    expect((await client.getHistory(id.toUpperCase(), options)).messages.length).toBe(2)
    expect((await client.listMessages(other.id, options)).messages.length).toBe(0)
    expect(sent.slice(-2).map(({ path }) => path.split('?')[1])).toEqual([
      `minCursor=${recorded?.cursor}`,
      'consistency=strong',
    ])
  })
})
