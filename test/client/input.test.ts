/** The input of the client's writes, on a real service over Postgres: valid, invalid, and changed during the call. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type ClientOptions,
  createClient,
  createMemoryJournal,
  type Journal,
  type JournalEntry,
  Problem,
  type TurnlogClient,
} from '../../src/client/client.ts'
import { openFileJournal } from '../../src/client/journal/file-journal.ts'
import { startNode } from '../support/servers/node.ts'
import { testDatabaseUrl } from '../support/servers/postgres.ts'
import { freePort, until } from '../support/servers/processes.ts'
import { startProxy, type TestProxy } from '../support/servers/proxy.ts'

let node: Awaited<ReturnType<typeof startNode>>
let proxy: TestProxy
let direct: TurnlogClient
const directory = mkdtempSync(join(tmpdir(), 'turnlog-input-'))
const unhandled: unknown[] = []
const onUnhandled = (reason: unknown) => unhandled.push(reason)

beforeAll(async () => {
  node = await startNode({ DATABASE_URL: await testDatabaseUrl() })
  proxy = await startProxy(Number(new URL(node.url).port))
  direct = createClient({ url: node.url })
  process.on('unhandledRejection', onUnhandled)
}, 60_000)
afterAll(async () => {
  process.off('unhandledRejection', onUnhandled)
  await direct.close()
  await proxy[Symbol.asyncDispose]()
  await node[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true, force: true })
})

const backoff = { firstMs: 5, maxMs: 50 }
const clientOf = (options: Partial<ClientOptions> = {}) =>
  createClient({ url: node.url, backoff, ...options })
const turn = (text: string) => ({ user: { text }, assistant: { responses: [`${text}!`] } })
const newConversation = async () => (await direct.createConversation()).id
const textsOf = async (id: string) =>
  (await direct.getHistory(id)).messages.map(({ content }) => content)

const failure = async (promise: Promise<unknown>): Promise<Problem> => {
  const thrown = await promise.then(
    (value) => new Error(`it resolved: ${JSON.stringify(value)}`),
    (reason) => reason,
  )
  if (thrown instanceof Problem) return thrown
  throw thrown
}

/** A journal, and in `entries` its current entries. */
function watchedJournal(inner: Journal = createMemoryJournal()) {
  const entries = new Map<string, JournalEntry>()
  const journal: Journal = {
    ...inner,
    async append(entry) {
      entries.set(entry.key, entry)
      await inner.append(entry)
    },
    remove(entry) {
      entries.delete(entry.key)
      inner.remove(entry)
    },
  }
  return { journal, entries }
}

const cycle: { self?: unknown } = {}
cycle.self = cycle
const unprintable: Readonly<Record<string, unknown>> = {
  'a BigInt': { n: 1n },
  'a cycle': cycle,
  'a toJSON that throws': {
    toJSON() {
      throw new Error('no')
    },
  },
  'a getter that throws': {
    get n() {
      throw new Error('no')
    },
  },
  NaN: { n: Number.NaN },
  'a Map': { n: new Map() },
  'a hole': { n: Array.from({ length: 2 }).fill(undefined) },
}

/** Every write of the client with `bad` in it. */
const writesWith = (client: TurnlogClient, id: string, bad: never) => {
  const voice = client.voice(id, { metadata: bad })
  const withMetadata = { ...turn('bad'), user: { text: 'bad', metadata: bad } }
  return {
    record: () => client.record(id, withMetadata, { key: 'the-key' }),
    'record of nothing else': () => client.record(id, bad),
    attach: () => client.attach(id, { part: 0, ttsAudioUrl: bad }),
    'voice.started': () => voice.started,
    'voice.open': () => voice.open({ at: bad }),
    'voice.complete': () => voice.complete('k', { user: { text: 'a', metadata: bad } }),
    'voice.interrupt': () => voice.interrupt(id, bad),
    'voice.attach': () => voice.attach({ key: 'k', part: 0, text: 'a', ttsAudioUrl: bad }),
    recordTurn: () => client.recordTurn(id, withMetadata),
    createConversation: () => client.createConversation({ metadata: bad }),
    patchConversation: () => client.patchConversation(id, { metadata: bad }),
    createSegment: () => client.createSegment(id, { metadata: bad } as never),
    attachTts: () => client.attachTts(id, id, bad),
    attachTtsToLatest: () => client.attachTtsToLatest(id, bad),
    attachByKey: () => client.attachByKey(id, bad),
    openTurn: () => client.openTurn(id, 'k', bad),
    completeTurn: () => client.completeTurn(id, 'k', bad),
    interrupt: () => client.interrupt(id, id, bad),
    startVoiceSession: () => client.startVoiceSession(id, { metadata: bad }),
    partial: async () => client.partial(id, 'human', bad),
    'voice.partial': async () => voice.partial('human', bad),
    live: () => client.live(id, { tail: bad }).next(),
  }
}

describe('the input of a write', () => {
  for (const [name, bad] of Object.entries(unprintable))
    test(`an unprintable input is rejected at once, sends nothing and blocks no other write: ${name}`, async () => {
      const id = await newConversation()
      const other = await newConversation()
      const { journal, entries } = watchedJournal()
      const sent: string[] = []
      const client = clientOf({
        journal,
        fetch: (url, init) => {
          sent.push(url)
          return fetch(url, init)
        },
      })
      const before = client.record(id, turn('before'))
      for (const [write, call] of Object.entries(writesWith(client, id, bad as never))) {
        const problem = await failure(call())
        expect([write, problem.code, problem.retryable]).toEqual([write, 'input-not-json', false])
      }
      expect(sent).toEqual([])
      // The refused writes left nothing in the queue of `id`, and did not take `the-key`.
      const after = client.record(id, turn('after'), { key: 'the-key' })
      await Promise.all([before, after, client.record(other, turn('elsewhere'))])
      expect(await textsOf(id)).toEqual(['before', 'before!', 'after', 'after!'])
      expect(await textsOf(other)).toEqual(['elsewhere', 'elsewhere!'])
      await client.settled()
      expect([...entries]).toEqual([])
      await client.close()
      await new Promise((resolve) => setImmediate(resolve))
      expect(unhandled).toEqual([])
    }, 60_000)

  test('an unprintable input causes no unhandled rejection when the client is closed', async () => {
    const id = await newConversation()
    const client = clientOf({ url: `http://127.0.0.1:${await freePort()}` })
    const waiting = client.record(id, turn('waits'))
    for (const bad of Object.values(unprintable))
      for (const call of Object.values(writesWith(client, id, bad as never)))
        expect((await failure(call())).code).toBe('input-not-json')
    const outcome = waiting.catch((reason) => reason.name)
    const [first, second] = [client.close(), client.close()]
    await Promise.all([first, second])
    expect(await outcome).toBe('AbortError')
    await new Promise((resolve) => setImmediate(resolve))
    expect(unhandled).toEqual([])
    await client.settled()
  })

  test('a printable input that the service refuses is rejected once and blocks no later write', async () => {
    const id = await newConversation()
    await using client = clientOf()
    let deep: unknown = 1
    for (let n = 0; n < 400; n += 1) deep = { deep }
    const refused = {
      'text-invalid': turn('lone \ud800'),
      'field-unknown': { ...turn('a'), id: 'x', c: 'y', t: 'pong' },
      'json-too-large': { ...turn('a'), user: { text: 'a', metadata: deep } },
      'field-invalid': null,
    }
    for (const [code, odd] of Object.entries(refused)) {
      const outcomes = await Promise.all([
        failure(client.record(id, odd as never)),
        failure(client.recordTurn(id, odd as never)),
      ])
      expect(outcomes.map((problem) => problem.code)).toEqual([code, code] as never)
    }
    expect(await client.record(id, turn('fine'))).toMatchObject({ version: 2 })
  })

  test('a member named like one that the client sets in the frame is refused with field-unknown', async () => {
    const id = await newConversation()
    await using client = clientOf()
    await client.record(id, turn('one'))
    const audio = { part: 0, ttsAudioUrl: 'https://a.example/1' }
    const voice = client.voice(id)
    for (const member of ['id', 'c', 't']) {
      const extra = { [member]: 'pong' }
      const refused = await Promise.all([
        failure(client.attach(id, { ...audio, ...extra })),
        failure(voice.attach({ key: 'k', text: 'a', ...audio, ...extra })),
        failure(voice.complete('k', { user: { text: 'a' }, ...extra })),
      ])
      expect(refused.map(({ code }) => code)).toEqual(Array(3).fill('field-unknown'))
    }
    expect((await client.attach(id, audio)).messageId).toBeString()
  })

  test('an input of the wrong type is refused before anything is sent', async () => {
    const id = await newConversation()
    const requested: string[] = []
    await using client = clientOf({
      fetch: (url, init) => {
        requested.push(url)
        return fetch(url, init)
      },
    })
    const voice = client.voice(id)
    for (const bad of [5, null, 'x', [], true] as never[]) {
      const calls = {
        createConversation: () => client.createConversation(bad),
        createSegment: () => client.createSegment(id, bad),
        interrupt: () => client.interrupt(id, id, bad),
        startVoiceSession: () => client.startVoiceSession(id, bad),
        attach: () => client.attach(id, bad),
        'voice.complete': () => voice.complete('k', bad),
        'voice.attach': () => voice.attach(bad),
        ...(bad === 'x'
          ? {}
          : {
              'text of voice.attach': () =>
                voice.attach({ key: 'k', part: 0, text: bad, ttsAudioUrl: 'https://a.example/1' }),
              partial: async () => client.partial(id, 'human', bad),
              'voice.partial': async () => voice.partial('human', bad),
            }),
      }
      for (const [name, call] of Object.entries(calls))
        expect([name, bad, (await failure(call())).code]).toEqual([name, bad, 'field-invalid'])
    }
    for (const bad of [undefined, null, 5, '', 'x', '../..', ` ${id}`, '\ud800'] as never[]) {
      const wrong = client.voice(bad)
      const audio = { key: 'k', part: 0, text: 'a', ttsAudioUrl: 'https://a.example/1' }
      const calls = {
        record: () => client.record(bad, turn('a')),
        attach: () => client.attach(bad, audio),
        live: () => client.live(bad).next(),
        partial: async () => client.partial(bad, 'human', 'a'),
        'voice.started': () => wrong.started,
        'voice.open': () => wrong.open(),
        'voice.complete': () => wrong.complete('k', { user: { text: 'a' } }),
        'voice.interrupt': () => wrong.interrupt(id, { characters: 1 }),
        'voice.attach': () => wrong.attach(audio),
        'voice.partial': async () => wrong.partial('human', 'a'),
        'voice.end': () => wrong.end(),
      }
      for (const [name, call] of Object.entries(calls))
        expect([name, bad, (await failure(call())).code]).toEqual([name, bad, 'id-invalid'])
    }
    for (const deadlineMs of [Number.NaN, -1, Number.POSITIVE_INFINITY, '5' as never]) {
      const late = await client.getConversation(id, { deadlineMs }).catch((reason) => reason)
      expect([deadlineMs, late.name, late.message]).toEqual([
        deadlineMs,
        'RangeError',
        expect.stringContaining('deadlineMs must be'),
      ])
    }
    expect(requested).toEqual([])
    await client.settled()
  })

  test('an option that cannot work is refused by createClient', async () => {
    const wrong: [options: Partial<ClientOptions>, name: string, reason: string][] = [
      [{ url: undefined as never }, 'TypeError', 'must be http or https, no query, no fragment'],
      [{ url: '' }, 'TypeError', 'must be http or https, no query, no fragment'],
      [{ url: 'http://' }, 'TypeError', 'must be http or https, no query, no fragment'],
      [{ url: 'localhost:3000' }, 'TypeError', 'must be http or https, no query, no fragment'],
      [{ url: 'ftp://a' }, 'TypeError', 'must be http or https, no query, no fragment'],
      [{ url: 'ws://a' }, 'TypeError', 'must be http or https, no query, no fragment'],
      [{ url: 'http://a?x=1' }, 'TypeError', 'must be http or https, no query, no fragment'],
      [{ url: 'http://a/?' }, 'TypeError', 'must be http or https, no query, no fragment'],
      [{ url: 'http://a#x' }, 'TypeError', 'must be http or https, no query, no fragment'],
      [{ deadlineMs: Number.NaN }, 'RangeError', 'deadlineMs'],
      [{ deadlineMs: -1 }, 'RangeError', 'deadlineMs'],
      [{ attemptMs: 2 ** 31 }, 'RangeError', 'attemptMs'],
      [{ backoff: { firstMs: -5, maxMs: 1 } }, 'RangeError', 'backoff'],
      [{ backoff: { firstMs: 5, maxMs: Number.NaN } }, 'RangeError', 'backoff'],
    ]
    for (const [options, name, reason] of wrong) {
      const made = () => clientOf(options)
      expect(made).toThrow(reason)
      expect(made).toThrow(expect.objectContaining({ name }))
    }
    await using client = clientOf({ url: new URL(`${node.url}//`) })
    expect((await client.getReadiness()).status).toBe('ready')
    expect(await client.record(await newConversation(), turn('a'))).toMatchObject({ version: 2 })
  })

  test('an unusable key or id is refused before anything is sent', async () => {
    const id = await newConversation()
    const requested: string[] = []
    await using client = clientOf({
      fetch: (url, init) => {
        requested.push(url)
        return fetch(url, init)
      },
    })
    for (const key of ['', ' a', 'ä', 'a\nb', '\ud800', 'x'.repeat(256), 5 as never]) {
      const refused = [
        client.record(id, turn('a'), { key }),
        client.recordTurn(id, turn('a'), { key }),
        client.openTurn(id, key),
        client.completeTurn(id, key, {}),
        client.voice(id).open({ key }),
      ]
      for (const call of refused) expect((await failure(call)).code).toBe('idempotency-key-invalid')
    }
    const audio = { ttsAudioUrls: ['https://a.example/1'] }
    for (const bad of ['', '.', '..', '\ud800']) {
      expect((await failure(client.attachTts(id, bad, audio))).code).toBe('id-invalid')
      expect((await failure(client.eraseConversation(bad))).code).toBe('id-invalid')
      expect((await failure(client.endVoiceSession(id, bad))).code).toBe('id-invalid')
    }
    expect(requested).toEqual([])
  })
})

describe('the recorded input of a write', () => {
  test('the recorded input is the input at the time of the call, over REST and the socket, on every attempt', async () => {
    const id = await newConversation()
    await using client = clientOf({ url: `http://127.0.0.1:${proxy.port}` })
    let sent = 0
    await using rest = clientOf({
      fetch: async (url, init) => {
        sent += 1
        if (sent === 1) return Response.json(new Problem('overloaded').body(), { status: 503 })
        return fetch(url, init)
      },
    })
    const input = {
      user: { text: 'said', metadata: { list: [1] } },
      assistant: { responses: ['a'] },
    }
    const overRest = rest.recordTurn(id, input, { key: 'rest' })
    input.user.text = 'changed'
    input.user.metadata.list.push(2)
    expect((await overRest)?.replayed).toBe(false)
    const again = { ...turn('socket') }
    const overSocket = client.record(id, again, { key: 'socket' })
    const twice = client.record(id, turn('socket'), { key: 'socket' })
    again.user = { text: 'changed' }
    const conflict = await failure(client.record(id, again, { key: 'socket' }))
    expect(conflict.code).toBe('idempotency-conflict')
    expect(await twice).toEqual(await overSocket)
    const { messages } = await direct.getHistory(id)
    expect(messages.map(({ content }) => content)).toEqual(['said', 'a', 'socket', 'socket!'])
    expect(messages[0]?.metadata).toEqual({ list: [1] })
  })

  test('after a crash, the next run of the client sends the input unchanged, and refuses another input under its name', async () => {
    const id = await newConversation()
    const path = join(directory, 'crash.journal')
    const unreached = clientOf({
      url: `http://127.0.0.1:${await freePort()}`,
      journal: await openFileJournal(path),
    })
    const at = '2026-11-24T10:00:00.5Z'
    const metadata = { '2': 'ä\u2028', '1': [1e21, 5e-324, { __proto__: null }], b: '\ud83d\ude00' }
    const input = { user: { text: 'said', at, metadata }, assistant: { responses: ['a'] } }
    const text = JSON.stringify(input)
    const voice = unreached.voice(id, { sessionId: 'call' })
    const halves = { user: { text: 'spoken', metadata: { n: 1 } } }
    const audio = { key: 'v', part: 0, text: 'b', ttsAudioUrl: 'https://a.example/b.wav' }
    const writes = [
      unreached.record(id, input, { key: 'k' }),
      voice.open({ key: 'v', at }),
      voice.complete('v', halves),
      voice.attach(audio),
    ].map((write) => write.catch((reason) => reason.name))
    input.user.text = 'changed'
    input.user.metadata['1'] = []
    halves.user.metadata.n = 2
    audio.text = 'changed'
    await until('all are in the file', () => readFileSync(path, 'utf8').split('\n').length > 4)
    // A copy of the file as a crash would leave it.
    const copy = join(directory, 'left.journal')
    copyFileSync(path, copy)
    await unreached.close()
    expect(await Promise.all(writes)).toEqual(Array(4).fill('AbortError'))

    const journal = await openFileJournal(copy)
    expect(journal.recovered.map((entry) => ('turn' in entry ? entry.turn : entry.key))).toEqual([
      text,
      'turn.open v',
      'turn.complete v user',
      'attach v 0 https://a.example/b.wav',
    ])
    const outcomes: string[] = []
    await using client = clientOf({
      journal,
      onRecovered: ({ key }, outcome) =>
        outcomes.push(`${key}: ${outcome instanceof Problem ? outcome.code : 'written'}`),
    })
    // The same input joins the write that the journal holds; another input is a conflict.
    const same = client.record(id, JSON.parse(text), { key: 'k' })
    const other = failure(client.record(id, input, { key: 'k' }))
    const next = client.voice(id, { sessionId: 'call' })
    const sameAudio = next.attach({ ...audio, text: 'b' })
    const otherAudio = failure(next.attach({ ...audio, text: 'other words' }))
    expect(await same).toMatchObject({ replayed: false })
    expect((await other).code).toBe('idempotency-conflict')
    expect((await otherAudio).code).toBe('idempotency-conflict')
    expect((await sameAudio).heldUntil).toBeString()
    await client.settled()
    expect(outcomes.length).toBe(4)
    expect(outcomes.filter((one) => !one.endsWith('written'))).toEqual([])
    const { messages } = await direct.getHistory(id)
    expect(messages.map(({ content }) => content)).toEqual(['said', 'a', 'spoken'])
    expect(JSON.stringify(messages[0]?.metadata)).toBe(
      JSON.stringify(JSON.parse(text).user.metadata),
    )
    expect(messages[2]?.metadata).toEqual({ n: 1 })
  }, 60_000)

  test('a journal of an earlier client, whose entries are values instead of texts, is sent', async () => {
    const id = await newConversation()
    const path = join(directory, 'before.journal')
    const before = await openFileJournal(path)
    const opening = { t: 'turn.open', key: 'v', at: '2026-11-24T10:00:00Z' }
    const entries = [
      { conversationId: id, key: 'k', turn: turn('of before') },
      { conversationId: id, key: 'turn.open v', speech: opening },
    ]
    for (const entry of entries) await before.append(entry as never)
    await before[Symbol.asyncDispose]()
    await using client = clientOf({ journal: await openFileJournal(path) })
    expect(await client.record(id, turn('of before'), { key: 'k' })).toMatchObject({ version: 2 })
    await client.settled()
    const { messages } = await direct.listMessages(id, { include: 'pending' })
    expect(messages.map(({ content }) => content)).toEqual(['of before', 'of before!', ''])
  }, 60_000)
})
