/**
 * Random schedules of writes on two nodes and of readers that lose their sockets. Each reader ends
 * with the state in Postgres, and gets every change once, without a gap.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { encodeCursor } from '../../../src/conversation/wire/ids.ts'
import type { Segment } from '../../../src/conversation/wire/schemas.ts'
import type { Listening } from '../../../src/http/listen.ts'
import { type Copy, LiveClient } from '../../support/live/live.ts'
import { type TestApp, testApp } from '../../support/servers/app.ts'
import { testDatabaseUrl } from '../../support/servers/postgres.ts'

const apps: TestApp[] = []
const servers: Listening[] = []

/** Two nodes share a database and no KV. Only the poll finds the commits of the other node. */
beforeAll(async () => {
  const url = await testDatabaseUrl()
  for (let n = 0; n < 2; n += 1) {
    const app = await testApp({
      overrides: { database: { url }, live: { silentPollMs: 50, pageBytesMax: 4096 } },
    })
    apps.push(app)
    servers.push(app.listen({ host: '127.0.0.1', port: 0 }))
  }
})
afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop(2000)))
  for (const app of apps) await app[Symbol.asyncDispose]()
})

type Step =
  | { kind: 'record'; node: number; over: 'rest' | 'socket'; size: number }
  | { kind: 'attach' | 'patch' | 'segment'; node: number }
  | { kind: 'burst'; node: number }
  | { kind: 'cut'; reader: number; node: number }
  | { kind: 'await'; reader: number }

const node = fc.integer({ min: 0, max: 1 })
const reader = fc.integer({ min: 0, max: 2 })
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('record' as const),
      node,
      over: fc.constantFrom('rest' as const, 'socket' as const),
      size: fc.constantFrom(1, 100, 3000),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('attach' as const, 'patch' as const, 'segment' as const),
      node,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('burst' as const), node }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('cut' as const), reader, node }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('await' as const), reader }) },
)

const at = <T>(list: readonly T[], index: number): T => {
  const found = list[index]
  if (found === undefined) throw new Error(`there is no ${index}`)
  return found
}

async function play(steps: readonly Step[]): Promise<void> {
  const created = await at(apps, 0).ask('POST', '/v1/conversations', {})
  const c = String(created.body['id'])
  const writer = new LiveClient(at(servers, 0))
  await writer.until('welcome')
  const copies = [0, 1, 2].map(() => new Map<string, Copy>())
  const connect = (index: number, where: number) => {
    const own = at(copies, index)
    const cursor = own.get(c)?.cursor ?? encodeCursor(c, 1)
    return new LiveClient(at(servers, where), `?conversation=${c}&cursor=${cursor}`, {
      copies: own,
    })
  }
  const readers = [connect(0, 0), connect(1, 1), connect(2, 0)]
  const pending: Promise<unknown>[] = []
  let sent = 0
  const post = (where: number, text: string) =>
    at(apps, where).ask('POST', `/v1/conversations/${c}/turns`, {
      user: { text },
      assistant: { responses: [text, 'and more'] },
    })
  for (const one of steps) {
    sent += 1
    if (one.kind === 'record') {
      const text = `${sent} ${'x'.repeat(one.size)}`
      if (one.over === 'rest') pending.push(post(one.node, text))
      else {
        const id = `${sent}`
        writer.send({ t: 'record', id, c, turn: { assistant: { responses: [text] } } })
        pending.push(writer.until('recorded', (frame) => frame.id === id))
      }
    } else if (one.kind === 'burst')
      for (let n = 0; n < 12; n += 1) pending.push(post(one.node, `${sent}.${n}`))
    else if (one.kind === 'cut') {
      at(readers, one.reader).terminate()
      readers[one.reader] = connect(one.reader, one.node)
    } else if (one.kind === 'await') await at(readers, one.reader).until('subscribed')
    else {
      const app = at(apps, one.node)
      const path = `/v1/conversations/${c}`
      if (one.kind === 'patch') pending.push(app.ask('PATCH', path, { title: `title ${sent}` }))
      else if (one.kind === 'segment') pending.push(app.ask('POST', `${path}/segments`, {}))
      else {
        const ttsAudioUrls = [`https://a.example/${sent}`]
        pending.push(app.ask('PUT', `${path}/tts`, { ttsAudioUrls }))
      }
    }
  }
  await Promise.all(pending)
  const page = await at(apps, 0).ask('GET', `/v1/conversations/${c}/messages?limit=200`)
  const segments = await at(apps, 0).ask('GET', `/v1/conversations/${c}/segments?limit=200`)
  const { body: conversation } = await at(apps, 0).ask('GET', `/v1/conversations/${c}`)
  const version = Number(page.body['version'])
  for (const one of readers) {
    await one.reaches(c, version)
    const { state, conversation: received } = one.copy(c)
    expect(state.messages).toEqual(page.body['messages'] as never)
    const all = page.body && (segments.body['segments'] as Segment[])
    expect(state.segments).toEqual(all.toSorted((a, b) => (a.id < b.id ? -1 : 1)))
    expect(received?.title ?? null).toBe(conversation['title'] as string | null)
    one.close()
  }
  writer.close()
}

describe('a reader', () => {
  test('a reader ends with the state in Postgres, over any disconnects and nodes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), (steps) => play(steps)),
      { numRuns: Number(process.env['RESUMES'] ?? 25), endOnFailure: true },
    )
  }, 120_000)

  test('a reader can resume at every version of a conversation', async () => {
    const app = at(apps, 0)
    const c = String((await app.ask('POST', '/v1/conversations', {})).body['id'])
    for (let n = 0; n < 10; n += 1) {
      await app.ask('POST', `/v1/conversations/${c}/turns`, {
        user: { text: `${n}` },
        assistant: { responses: ['.'.repeat(900)] },
      })
      await app.ask('PUT', `/v1/conversations/${c}/tts`, {
        ttsAudioUrls: [`https://a.example/${n}`],
      })
    }
    const { body } = await app.ask('GET', `/v1/conversations/${c}/messages`)
    const whole = body['messages'] as { id: string; version: number }[]
    for (let version = 0; version <= 21; version += 1) {
      const client = new LiveClient(
        at(servers, version % 2),
        `?conversation=${c}&cursor=${encodeCursor(c, version)}`,
      )
      await client.until('live', (frame) => frame.version === 21)
      expect(client.copy(c).state.messages).toEqual(
        whole.filter((message) => message.version > version) as never,
      )
      client.close()
    }
  }, 30_000)
})
