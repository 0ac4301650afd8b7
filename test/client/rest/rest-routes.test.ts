/** The REST calls of the client, on a real app: their results, their retries, and the calls that are not retried. */
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

/**
 * A `fetch` with the fate of each attempt in order. Later attempts reach the app. `lost`: the request was carried out,
 * and its answer was lost.
 */
function fetchWith(...fates: readonly ('reached' | 'unreached' | 'lost' | (() => Response))[]) {
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

describe('the REST calls of the client', () => {
  test('every operation of the OpenAPI document has a function of its name', async () => {
    const { paths } = await documentOf(app)
    const ids = Object.values(paths).flatMap((operations) =>
      Object.values(operations).map((operation) => String(Reflect.get(operation, 'operationId'))),
    )
    const client = clientOver(direct)
    expect(ids.filter((id) => typeof Reflect.get(client, id) !== 'function')).toEqual([])
    expect(ids.length).toBeGreaterThan(15)
  })

  test('each REST function of the client returns the answer of its route', async () => {
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

  test('a refusal has the code, the title, the places and the request id of the service', async () => {
    const { fetch, sent } = fetchWith()
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

  test('a turn that had to be sent four times under one key is recorded once', async () => {
    const { fetch, sent } = fetchWith(() => Response.json({}), 'lost', 'unreached', 'lost')
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

  test('a creation whose answer was lost makes one conversation and one segment', async () => {
    const { fetch, sent } = fetchWith('lost', 'reached', 'lost')
    const client = clientOver(fetch)
    const { id } = await client.createConversation({ title: 'once' })
    await client.createSegment(id)
    expect((await client.listSegments(id)).segments.length).toBe(1)
    expect(sent[0]?.body).toBe(sent[1]?.body ?? '')
    expect(JSON.parse(sent[0]?.body ?? '')).toEqual({ id, title: 'once' })
  })

  test('a patch and an attach to the latest message are not resent after an unknown outcome', async () => {
    const { id } = await clientOver(direct).createConversation()
    await clientOver(direct).recordTurn(id, turn)
    for (const fate of ['lost', problem('outcome-unknown'), problem('internal')] as const) {
      const { fetch, sent } = fetchWith(fate, fate)
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
  ] as const)('any write is retried after %s, because nothing was written', async (code) => {
    const { id } = await clientOver(direct).createConversation()
    const { fetch, sent } = fetchWith(problem(code, { 'retry-after': '0' }))
    await clientOver(fetch).patchConversation(id, { title: 'newer' })
    expect(sent.length).toBe(2)
  })

  test('a retry waits as long as Retry-After says, and the call fails at once if that is past its deadline', async () => {
    const { fetch, sent } = fetchWith(problem('overloaded', { 'retry-after': '1' }))
    const { id } = await clientOver(direct).createConversation()
    const begun = performance.now()
    await clientOver(fetch).recordTurn(id, turn)
    expect(performance.now() - begun).toBeGreaterThan(990)
    expect(sent.length).toBe(2)
    const busy = fetchWith(problem('overloaded', { 'retry-after': '3600' }))
    const refused = await failure(clientOver(busy.fetch).recordTurn(id, turn))
    expect(refused).toMatchObject({ code: 'overloaded', retryAfterSeconds: 3600, requestId: 'r-1' })
    expect(busy.sent.length).toBe(1)
  })

  test('a read fails with service-unreachable at its deadline, and a write with outcome-unknown', async () => {
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
    const later = fetchWith('lost', problem('database-unavailable', { 'retry-after': '1' }))
    const unsure = await failure(clientOver(later.fetch).recordTurn(id, turn, { deadlineMs: 900 }))
    // An attempt before the last one may have recorded it.
    expect(unsure.code).toBe('outcome-unknown')
    expect(unsure.cause).toMatchObject({ code: 'database-unavailable' })
  })

  test('retryForMs lets no attempt begin later, and cuts no running attempt short', async () => {
    const id = crypto.randomUUID()
    const unreachable = fetchWith('unreached', 'unreached')
    const once = clientOver(unreachable.fetch, { retryForMs: 0 })
    expect((await failure(once.getConversation(id))).code).toBe('service-unreachable')
    expect(unreachable.sent.length).toBe(1)
    const busy = fetchWith(problem('overloaded', { 'retry-after': '2' }))
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

  test('onRetry gets the problem, the failures and the wait before each further attempt', async () => {
    const retries: Retry[] = []
    const { fetch } = fetchWith('unreached', problem('overloaded', { 'retry-after': '1' }))
    const client = clientOver(fetch, { onRetry: (retry) => retries.push(retry) })
    await client.getHealth()
    expect(retries.map((retry) => [retry.problem.code, retry.failures])).toEqual([
      ['service-unreachable', 1],
      ['overloaded', 2],
    ])
    expect(retries[0]?.waitMs).toBeLessThanOrEqual(backoff.maxMs)
    expect(retries[1]?.waitMs).toBe(1000)
  })

  test('onStatus gets 201 for a new conversation, 200 for an existing one, and is not called after a failure', async () => {
    const { fetch, sent } = fetchWith(
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

  test('resend makes the client repeat a patch after a lost answer', async () => {
    const { id } = await clientOver(direct).createConversation()
    const { fetch, sent } = fetchWith('lost', problem('internal'), 'reached')
    const patched = await clientOver(fetch).patchConversation(
      id,
      { title: 'again' },
      { resend: true },
    )
    expect(patched).toMatchObject({ title: 'again' })
    expect(sent.length).toBe(3)
  })

  test('an aborted call rejects with the reason of its signal', async () => {
    const reason = new Error('enough')
    const controller = new AbortController()
    const { fetch } = fetchWith(() => {
      controller.abort(reason)
      return problem('overloaded', { 'retry-after': '20' })()
    })
    const call = clientOver(fetch).getConversation(crypto.randomUUID(), {
      signal: controller.signal,
    })
    expect(await call.catch((thrown) => thrown)).toBe(reason)
    const early = clientOver(direct).getHealth({ signal: AbortSignal.abort(reason) })
    expect(await early.catch((thrown) => thrown)).toBe(reason)
  })

  test('the answer of a proxy is answer-unusable, and a problem with an unknown code keeps its code', async () => {
    const html = (status: number) => () => new Response('<h1>no</h1>', { status })
    const passing = fetchWith(html(502), html(503), html(429))
    expect(await clientOver(passing.fetch).getHealth()).toEqual({ status: 'ok' })
    const wrong = fetchWith(html(404))
    expect(await failure(clientOver(wrong.fetch).getHealth())).toMatchObject({
      code: 'answer-unusable',
      status: 404,
      retryable: false,
    })
    const fine = fetchWith(html(200))
    expect((await failure(clientOver(fine.fetch).getHealth())).code).toBe('answer-unusable')
    const body = {
      type: '/problems/x',
      code: 'x',
      title: 'X',
      status: 418,
      detail: 'y',
      retryable: false,
    }
    const newer = fetchWith(() => Response.json(body, { status: 418 }))
    const thrown = await failure(clientOver(newer.fetch).getHealth())
    expect(thrown.body()).toEqual(body as never)
  })

  test('a read with own-writes sends the cursor of the last write, or strong if there is none', async () => {
    const { fetch, sent } = fetchWith()
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
