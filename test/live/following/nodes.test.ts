/**
 * Live delivery between two nodes: hints and interim texts through Redis, and an outage of Redis.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type OpenedKv, openKv } from '../../../adapters/open.ts'
import { encodeCursor } from '../../../src/conversation/wire/ids.ts'
import { LiveClient } from '../../support/live/live.ts'
import { type TestApp, testApp } from '../../support/servers/app.ts'
import { testDatabaseUrl } from '../../support/servers/postgres.ts'
import { until } from '../../support/servers/processes.ts'
import { startRedis, type TestRedis } from '../../support/servers/redis.ts'

let redis: TestRedis
let hints: OpenedKv
beforeAll(async () => {
  redis = await startRedis()
  hints = await openKv(redis.url, { deadlineMs: 1000 })
}, 60_000)
afterAll(async () => {
  hints.kv.close()
  await redis[Symbol.asyncDispose]()
})

const anyPort = { host: '127.0.0.1', port: 0 }
const create = async (app: TestApp) =>
  String((await app.ask('POST', '/v1/conversations', {})).body['id'])
const record = (app: TestApp, c: string, text: string) =>
  app.ask('POST', `/v1/conversations/${c}/turns`, { assistant: { responses: [text] } })

async function nodes(live: { pollMs: number; silentPollMs: number }) {
  const url = await testDatabaseUrl()
  const overrides = { database: { url }, cache: { url: redis.url }, live }
  const [a, b] = [await testApp({ overrides }), await testApp({ overrides })]
  const [atA, atB] = [a.listen(anyPort), b.listen(anyPort)]
  return {
    a,
    b,
    atA,
    atB,
    async [Symbol.asyncDispose]() {
      await Promise.all([atA.stop(2000), atB.stop(2000)])
      await a[Symbol.asyncDispose]()
      await b[Symbol.asyncDispose]()
    },
  }
}

describe('two nodes with Redis', () => {
  test('a head that is written to Redis wakes another node, which delivers only changes that it finds in the database', async () => {
    // The poll is too slow to matter here.
    await using both = await nodes({ pollMs: 600_000, silentPollMs: 60_000 })
    const c = await create(both.a)
    const reader = new LiveClient(both.atB, `?conversation=${c}`)
    await reader.until('live')
    const head = (version: unknown) => hints.kv.set(['history', `default/${c}`, true], { version })
    for (let version = 2; version <= 6; version += 1) {
      await record(both.a, c, `turn ${version}`)
      await head(version)
      await reader.reaches(c, version)
    }
    for (const odd of [999, 'seven', null, -1]) await head(odd)
    await record(both.a, c, 'after odd ones')
    await head(7)
    await reader.reaches(c, 7)
    expect(reader.copy(c).resets).toEqual([])
    reader.close()
  }, 20_000)

  test('an interim text reaches another node, and ends there with its message', async () => {
    await using both = await nodes({ pollMs: 600_000, silentPollMs: 60_000 })
    const c = await create(both.a)
    const reader = new LiveClient(both.atB, `?conversation=${c}`)
    await reader.until('live')
    const speaker = new LiveClient(both.atA)
    await speaker.opened
    for (let n = 0; n <= 200; n += 1)
      speaker.send({ t: 'partial', c, role: 'ai', text: `text ${n}` })
    await reader.until('partial', ({ text, role }) => text === 'text 200' && role === 'ai')
    speaker.send({ t: 'record', id: '1', c, turn: { assistant: { responses: ['text 201'] } } })
    await speaker.until('recorded')
    await hints.kv.set(['history', `default/${c}`, true], { version: 2 })
    await reader.reaches(c, 2)
    const late = new LiveClient(both.atB, `?conversation=${c}&cursor=${encodeCursor(c, 1)}`)
    await late.until('live')
    late.send({ t: 'auth', id: 'fence', token: 'x' })
    await late.until('authenticated')
    expect(late.of('partial')).toEqual([])
    for (const client of [reader, speaker, late]) client.close()
  }, 20_000)

  test('the poll delivers turns during an outage of Redis, and hints deliver them after it', async () => {
    await using both = await nodes({ pollMs: 600_000, silentPollMs: 100 })
    const c = await create(both.a)
    const reader = new LiveClient(both.atB, `?conversation=${c}`)
    await reader.until('live')
    await redis.kill()
    await record(both.a, c, 'while it is away')
    await reader.reaches(c, 2)
    await redis.restart()
    await until('Redis is ready', () => hints.ready())
    await record(both.a, c, 'and when it is back')
    await reader.reaches(c, 3)
    expect(reader.closed).toBeUndefined()
    reader.close()
  }, 30_000)
})

describe('a node whose database went back', () => {
  test('a follower gets a reset if the database lost its newest versions', async () => {
    const url = await testDatabaseUrl()
    const live = { silentPollMs: 50 }
    await using app = await testApp({ overrides: { database: { url }, live } })
    const server = app.listen(anyPort)
    const c = await create(app)
    for (const text of ['one', 'two']) await record(app, c, text)
    const reader = new LiveClient(server, `?conversation=${c}`)
    await reader.until('live')
    const sql = new Bun.SQL(url)
    await sql`delete from conversation_messages where version > 2`
    await sql`update conversations set version = 2, last_seq = 1`
    await reader.until('reset', ({ reason }) => reason === 'cursor-ahead')
    expect(app.log.some((line) => line.includes('"head-went-back"'))).toBe(true)
    await sql`delete from conversation_messages`
    const again = new LiveClient(server, `?conversation=${c}`)
    await again.until('live')
    await sql`delete from conversations`
    await again.until('reset', ({ reason }) => reason === 'conversation-not-found')
    await sql.end()
    for (const client of [reader, again]) client.close()
    await server.stop(2000)
  }, 20_000)
})
