/** Histories from the cache: their content, their source, and their erasure. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import fc from 'fast-check'
import { openKv } from '../../../adapters/open.ts'
import type { ConfigOverrides } from '../../../src/config.ts'
import type { Head } from '../../../src/conversation/cache/rule.ts'
import { newId } from '../../../src/conversation/wire/ids.ts'
import { kvKeys } from '../../../src/conversation/wire/kv-keys.ts'
import type { Message } from '../../../src/conversation/wire/schemas.ts'
import { type Answer, type TestApp, testApp } from '../../support/servers/app.ts'
import { openPostgres } from '../../support/servers/databases.ts'
import { startPostgres, testDatabaseUrl } from '../../support/servers/postgres.ts'
import { until } from '../../support/servers/processes.ts'
import { redisMissing, startRedis, type TestRedis } from '../../support/servers/redis.ts'
import { runTurnlog } from '../../support/servers/turnlog.ts'

// A test that times out ends the Redis of all other tests.
setDefaultTimeout(20_000)

const turn = (text: string, more: object = {}) => ({
  user: { text },
  assistant: { responses: [`${text}?`, 'Yes.'], ...more },
})

const source = ({ headers }: Answer) => headers.get('turnlog-source')

/** An app and a conversation in it. */
type Talk = {
  readonly id: string
  read(rest?: string): Promise<Answer>
  page(rest: string): Promise<Answer>
  /** Records a turn and returns its version. */
  say(text: string, more?: object): Promise<number>
  /** Reads until an answer is from the cache, and returns it. */
  cached(rest?: string): Promise<Answer>
}

function talkOf(app: TestApp, id: string): Talk {
  const path = `/v1/conversations/${id}`
  const read = (rest = '') => app.ask('GET', `${path}/history?last=50${rest}`)
  return {
    id,
    read,
    page: (rest) => app.ask('GET', `${path}/messages?${rest}`),
    async say(text, more) {
      const { body, status } = await app.ask('POST', `${path}/turns`, turn(text, more))
      expect(status).toBe(201)
      return Number(body.version)
    },
    async cached(rest) {
      let answer = await read(rest)
      await until('it is cached', async () => {
        answer = await read(rest)
        return source(answer) === 'cache'
      })
      return answer
    },
  }
}

async function newTalk(app: TestApp): Promise<Talk> {
  const { body } = await app.ask('POST', '/v1/conversations', {})
  return talkOf(app, String(body.id))
}

describe.skipIf(redisMissing() !== undefined)('a history cached in Redis', () => {
  let redis: TestRedis
  let url: string
  beforeAll(async () => {
    redis = await startRedis()
    url = await testDatabaseUrl()
  })
  afterAll(async () => {
    await redis[Symbol.asyncDispose]()
  })

  const node = async (overrides: ConfigOverrides = {}) => {
    const app = await testApp({
      overrides: {
        cache: { url: redis.url },
        ...overrides,
        database: { url, ...overrides.database },
      },
    })
    const isReady = async () => (await app.ask('GET', '/readyz')).body.status === 'ready'
    await until('it is ready', isReady)
    return app
  }
  const headOf = async (id: string) => {
    using kv = (await openKv(redis.url)).kv
    await until('it is connected', () =>
      kv
        .get(['x', 'y'])
        .then(() => true)
        .catch(() => false),
    )
    return (await kv.get<Head>(kvKeys.head('default', id))).value
  }

  test('a history is read first from the database and then from Redis, the same to the byte', async () => {
    await using app = await node()
    const talk = await newTalk(app)
    await talk.say('Grüße 👋', { metadata: { z: 1, b: { 10: 'ten', 9: [1.5, 1e21, -0] } } })
    await talk.say('second', { memoryRetrievalTrace: { 'b\u2028': null, a: ['x'] } })
    const first = await talk.read()
    expect([first.status, source(first), first.headers.get('turnlog-version')]).toEqual([
      200,
      'database',
      '3',
    ])
    const cached = await talk.cached()
    expect(cached.text).toBe(first.text)
    expect((await talk.cached('&consistency=eventual')).text).toBe(first.text)
    // The writer extends the window; a node without a cache reads the same from the database.
    const version = await talk.say('third', { metadata: { y: { b: 1, a: 2 }, x: 'ü' } })
    const written = await talk.cached('&consistency=eventual')
    expect(written.body.version).toBe(version)
    await using uncached = await node({ cache: { url: undefined } })
    const stored = await talkOf(uncached, talk.id).read()
    expect([source(stored), stored.text]).toEqual(['database', written.text])
  })

  test('a history from Redis has the same formats as one from the database', async () => {
    await using app = await node()
    const talk = await newTalk(app)
    await talk.say('Hello')
    for (const format of ['openai', 'langchain']) {
      const before = await talk.read(`&format=${format}`)
      expect((await talk.cached(`&format=${format}`)).body).toEqual(before.body)
    }
  })

  test('a strong read on one node is never behind a turn acknowledged on another', async () => {
    await using one = await node()
    await using two = await node()
    const here = await newTalk(one)
    const there = talkOf(two, here.id)
    await here.say('first')
    await there.cached()
    for (let pass = 0; pass < 30; pass += 1) {
      const [writer, other] = pass % 2 === 0 ? [here, there] : [there, here]
      const version = await writer.say(`pass ${pass}`)
      expect((await other.read()).body.version).toBe(version)
    }
    const strong = await here.cached()
    await until('eventually they agree', async () => {
      const answers = await Promise.all([here, there].map((t) => t.read('&consistency=eventual')))
      return answers.every((answer) => answer.text === strong.text && source(answer) === 'cache')
    })
  })

  test('a strong read repairs a cached history that missed a commit', async () => {
    await using app = await node()
    await using uncached = await node({ cache: { url: undefined } })
    const talk = await newTalk(app)
    await talk.say('first')
    await talk.cached()
    const version = await talkOf(uncached, talk.id).say('missed')
    expect((await talk.read('&consistency=eventual')).body.version).toBe(version - 1)
    const strong = await talk.read()
    expect([source(strong), strong.body.version]).toEqual(['database', version])
    await until('the cache is at it', async () => {
      const answer = await talk.read('&consistency=eventual')
      return source(answer) === 'cache' && answer.body.version === version
    })
  })

  test('a history read with a cursor is never behind it, from Redis or from the database', async () => {
    await using app = await node()
    await using uncached = await node({ cache: { url: undefined } })
    const talk = await newTalk(app)
    await talk.say('first')
    const { body } = await talk.cached()
    const satisfied = await talk.read(`&minCursor=${String(body.cursor)}`)
    expect([source(satisfied), satisfied.body.version]).toEqual(['cache', 2])
    await talkOf(uncached, talk.id).say('missed')
    const { cursor } = (await talkOf(uncached, talk.id).read()).body
    const beyond = await talk.read(`&minCursor=${String(cursor)}`)
    expect([source(beyond), beyond.body.version]).toEqual(['database', 3])
    const other = await newTalk(app)
    const wrong = await other.read(`&minCursor=${String(cursor)}`)
    expect([wrong.status, wrong.body.code]).toEqual([422, 'cursor-invalid'])
    for (const how of ['', '&consistency=strong', '&consistency=eventual']) {
      const ahead = await aheadOf(talk, how)
      expect([ahead.status, ahead.body.code]).toEqual([409, 'cursor-ahead'])
    }
  })

  test('a page of a cached history equals the page from the database', async () => {
    await using app = await node()
    await using uncached = await node({ cache: { url: undefined } })
    const talk = await newTalk(app)
    const plain = talkOf(uncached, talk.id)
    for (let index = 0; index < 40; index += 1) await talk.say(`turn ${index}`)
    await talk.cached()
    let fromCache = 0
    const seq = fc.option(fc.nat({ max: 90 }), { nil: undefined })
    await fc.assert(
      fc.asyncProperty(
        seq,
        seq,
        fc.integer({ min: 1, max: 100 }),
        fc.constantFrom('asc', 'desc'),
        fc.constantFrom('', '&consistency=eventual'),
        async (after, before, limit, order, consistency) => {
          const bounds = `${after === undefined ? '' : `&after=${after}`}${before === undefined ? '' : `&before=${before}`}`
          const rest = `limit=${limit}&order=${order}${bounds}`
          const answer = await talk.page(`${rest}${consistency}`)
          if (source(answer) === 'cache') fromCache += 1
          expect(answer.body).toEqual((await plain.page(rest)).body)
        },
      ),
      { numRuns: 150 },
    )
    expect(fromCache).toBeGreaterThan(30)
  }, 30_000)

  test('the newest turns of a cached history equal those from the database, whole and by their first message', async () => {
    await using app = await node()
    await using uncached = await node({ cache: { url: undefined } })
    const talk = await newTalk(app)
    const plain = talkOf(uncached, talk.id)
    const base = `/v1/conversations/${talk.id}`
    const post = (what: string, body: object, key: string) =>
      app.ask('POST', `${base}/turns/${what}`, body, { 'idempotency-key': key })
    for (let n = 0; n < 45; n += 1) {
      if (n % 3 === 0) await talk.say(`turn ${n}`)
      else await post('open', {}, `${n}`)
      // Most answers come late, some never. Some seats get no words.
      if (n % 3 === 2 && n % 5 !== 0)
        await post('complete', { assistant: { responses: [`to ${n - 2}`] } }, `${n - 1}`)
      if (n % 4 === 2) await post('complete', { user: { text: `words of ${n}` } }, `${n}`)
    }
    const { body } = await plain.page('limit=200&include=pending')
    const firstSeqs = new Map<string, number>()
    for (const { turnId, seq } of body.messages as Message[])
      if (!firstSeqs.has(turnId)) firstSeqs.set(turnId, seq)
    const firstSeq = (turnId: string) => firstSeqs.get(turnId) ?? 0
    const late = (body.messages as Message[]).filter(({ role }) => role === 'ai').at(-1)
    const report = { heard: { milliseconds: 0 } }
    await app.ask('POST', `${base}/messages/${late?.id}/interrupt`, report)
    await talk.cached('&include=pending')
    let fromCache = 0
    for (const view of ['view=said', 'view=heard', 'view=said&include=pending']) {
      const all = (await app.ask('GET', `${base}/history?${view}`)).body.messages as Message[]
      const turns = [...new Set(all.map(({ turnId }) => turnId))]
      turns.sort((one, other) => firstSeq(one) - firstSeq(other))
      for (const count of [1, 2, 3, 7, 15, 30]) {
        const newest = turns.slice(-count)
        const expected = all.filter(({ turnId }) => newest.includes(turnId))
        const rest = `${view}&lastTurns=${count}`
        for (const consistency of ['strong', 'eventual']) {
          const path = `${base}/history?${rest}&consistency=${consistency}`
          const answer = await app.ask('GET', path)
          if (source(answer) === 'cache') fromCache += 1
          expect([path, answer.body.messages]).toEqual([path, expected])
        }
        const plainAnswer = await uncached.ask('GET', `${base}/history?${rest}`)
        expect([rest, plainAnswer.body.messages]).toEqual([rest, expected])
      }
    }
    expect(fromCache).toBeGreaterThan(20)
  }, 60_000)

  test('a cached window ends at a message above the size bound, and the database serves that message whole', async () => {
    await using app = await node({ limits: { turnBytesMax: 200_000 } })
    const talk = await newTalk(app)
    await talk.say('small')
    await talk.cached()
    const large = 'x'.repeat(70_000)
    await talk.say(large)
    const all = await talk.read()
    expect(source(all)).toBe('database')
    expect(all.body.messages).toHaveLength(4)
    expect(all.text).toContain(large)
    await talk.say('after')
    // The window has only the turn after the large one, whose answer is large, too.
    await until('the window has the last turn', async () => (await headOf(talk.id))?.to === 6)
    expect(await headOf(talk.id)).toMatchObject({ full: true, from: 5, to: 6 })
    expect(source(await talk.page('limit=2&order=desc'))).toBe('cache')
    expect(source(await talk.page('limit=3&order=desc'))).toBe('database')
  })

  test('an eventual read of a cached history succeeds while the database is away', async () => {
    await using server = await startPostgres()
    await using app = await node({
      database: { url: server.url, connectTimeoutMs: 500, deadlineMs: 1000, lockTimeoutMs: 500 },
    })
    const talk = await newTalk(app)
    await talk.say('first')
    const { body } = await talk.cached('&consistency=eventual')
    await server.stop()
    const eventual = await talk.read('&consistency=eventual')
    expect([eventual.status, source(eventual)]).toEqual([200, 'cache'])
    expect((await talk.read(`&minCursor=${String(body.cursor)}`)).status).toBe(200)
    const strong = await talk.read()
    expect([strong.status, strong.body.code]).toEqual([503, 'database-unavailable'])
    expect(strong.headers.has('retry-after')).toBe(true)
  }, 30_000)

  test('an erasure leaves no word in Redis, even if Redis was away', async () => {
    await using ownRedis = await startRedis()
    await using app = await node({ cache: { url: ownRedis.url } })
    const isInRedis = (text: string) => ownRedis.ask('--raw', 'EVAL', dumpAll, '0').includes(text)
    const [talk, other] = [await newTalk(app), await newTalk(app)]
    for (const each of [talk, other]) {
      await each.say('xylophone')
      await each.cached()
    }
    expect(isInRedis('xylophone')).toBe(true)
    await app.ask('DELETE', `/v1/conversations/${talk.id}`)
    await until(
      'the cache has no message of it',
      async () => (await talk.read('&consistency=eventual')).body.code === 'conversation-erased',
    )
    ownRedis.freeze()
    const erased = await app.ask('DELETE', `/v1/conversations/${other.id}`)
    expect(erased.status).toBe(200)
    ownRedis.thaw()
    await until('no erased word is left in Redis', () => !isInRedis('xylophone'), 20_000)
    expect((await other.read('&consistency=eventual')).body.code).toBe('conversation-erased')
  }, 40_000)

  test('a cached history in another message format is neither read nor extended', async () => {
    await using app = await node()
    const talk = await newTalk(app)
    await talk.say('first')
    await talk.cached()
    using kv = (await openKv(redis.url)).kv
    const key = kvKeys.head('default', talk.id)
    await until('it is connected', () =>
      kv
        .get(key)
        .then(() => true)
        .catch(() => false),
    )
    const { value } = await kv.get<Head>(key)
    await kv.set(key, { ...value, wire: 0 })
    const version = await talk.say('second')
    await using fresh = await node()
    const answer = await talkOf(fresh, talk.id).read('&consistency=eventual')
    expect([source(answer), answer.body.version]).toEqual(['database', version])
  })

  test('a cached history newer than the database is dropped, and logged as cache-ahead', async () => {
    await using app = await node()
    const talk = await newTalk(app)
    await talk.say('first')
    await talk.cached()
    using kv = (await openKv(redis.url)).kv
    const key = kvKeys.head('default', talk.id)
    await until('it is connected', () =>
      kv
        .get(key)
        .then(() => true)
        .catch(() => false),
    )
    const { value } = await kv.get<Head>(key)
    await kv.set(key, { ...value, version: 40 })
    await using fresh = await node()
    const answer = await talkOf(fresh, talk.id).read()
    expect([source(answer), answer.body.version]).toEqual(['database', 2])
    expect(fresh.log.map((line) => JSON.parse(line).event)).toContain('cache-ahead')
    expect((await talkOf(fresh, talk.id).cached('&consistency=eventual')).body.version).toBe(2)
  })

  test('a conversation that Redis refuses to store keeps no other one out of the cache', async () => {
    await using ownRedis = await startRedis()
    await using app = await node({ cache: { url: ownRedis.url } })
    const [bad, good] = [await newTalk(app), await newTalk(app)]
    await good.say('first')
    await bad.say('first')
    await good.cached()
    await bad.cached()
    for (const key of ownRedis.ask('KEYS', '*').split('\n'))
      if (key.includes(bad.id)) ownRedis.ask('SET', key, 'not a sorted set')
    for (let pass = 0; pass < 8; pass += 1) await bad.say('refused')
    await until('the refusals were seen', () => app.log.some((line) => line.includes('WRONGTYPE')))
    const version = await good.say('second')
    expect((await good.cached('&consistency=eventual')).body.version).toBe(version)
    expect((await bad.read()).status).toBe(200)
    expect(app.log.map((line) => JSON.parse(line).event)).not.toContain('cache-skipped')
  })

  test('a cached history expires after ttlSeconds', async () => {
    await using app = await node({ cache: { url: redis.url, ttlSeconds: 1 } })
    const talk = await newTalk(app)
    await talk.say('first')
    await talk.cached()
    await until('the entry has expired', async () => (await headOf(talk.id)) === null)
    expect((await talk.read('&consistency=eventual')).status).toBe(200)
  })

  test('a node without ready windows reads histories from Redis', async () => {
    await using app = await node({ cache: { url: redis.url, readyBytesMax: 0 } })
    const talk = await newTalk(app)
    await talk.say('first')
    expect((await talk.cached()).status).toBe(200)
  }, 20_000)
})

describe('a history cached in memory', () => {
  test('an eventual read returns the newest version of a database that other nodes write to', async () => {
    const url = await testDatabaseUrl()
    await using one = await testApp({ overrides: { database: { url } } })
    await using two = await testApp({ overrides: { database: { url } } })
    const here = await newTalk(one)
    const there = talkOf(two, here.id)
    await here.say('first')
    await there.cached()
    const version = await here.say('second')
    const answer = await there.read('&consistency=eventual')
    expect(answer.body.version).toBe(version)
  })

  test('an unknown conversation is not found, and an id that is no UUID is invalid', async () => {
    await using app = await testApp()
    for (const how of ['', '&consistency=eventual'])
      expect((await talkOf(app, newId()).read(how)).body.code).toBe('conversation-not-found')
    expect((await talkOf(app, 'x').read()).body.code).toBe('id-invalid')
  })
})

/** Reads with a cursor of a version that does not exist yet. */
async function aheadOf(talk: Talk, how: string): Promise<Answer> {
  const { encodeCursor } = await import('../../../src/conversation/wire/ids.ts')
  return await talk.read(`&minCursor=${encodeCursor(talk.id, 1000)}${how}`)
}

/** Every member of every key, as text. */
const dumpAll =
  "local all = {} for _, key in ipairs(redis.call('KEYS', '*')) do for _, member in ipairs(redis.call('ZRANGE', key, 0, -1)) do all[#all + 1] = member end end return table.concat(all)"

describe.skipIf(redisMissing() !== undefined)('turnlog cache audit', () => {
  test('the audit counts each finding, and with --repair deletes the windows that differ', async () => {
    await using redis = await startRedis()
    const url = await testDatabaseUrl()
    await using app = await testApp({
      overrides: { cache: { url: redis.url }, database: { url } },
    })
    await until(
      'it is ready',
      async () => (await app.ask('GET', '/readyz')).body.status === 'ready',
    )
    await using uncached = await testApp({ overrides: { database: { url } } })
    const audit = async (...flags: string[]) => {
      const places = ['--database.url', url, '--cache.url', redis.url]
      const { code, out } = await runTurnlog(['cache', 'audit', '--json', ...flags, ...places])
      return { code, ...(JSON.parse(out) as { counts: object; odd: object[]; repaired: number }) }
    }
    const talks = await Promise.all(Array.from({ length: 6 }, () => newTalk(app)))
    const [equal, absent, behind, ahead, different, erased] = talks
    if (!equal || !absent || !behind || !ahead || !different || !erased) throw new Error('too few')
    for (const talk of talks) {
      await talk.say('Hello')
      if (talk !== absent) await talk.cached()
    }
    expect(await audit()).toMatchObject({ code: 0, counts: { equal: 5, absent: 1 }, odd: [] })

    using kv = (await openKv(redis.url)).kv
    const head = (talk: Talk) => kvKeys.head('default', talk.id)
    await until('it is connected', () =>
      kv
        .get(['x', 'y'])
        .then(() => true)
        .catch(() => false),
    )
    await talkOf(uncached, behind.id).say('missed')
    await kv.set(head(ahead), { ...(await kv.get<Head>(head(ahead))).value, version: 9 })
    await kv.set(kvKeys.message('default', different.id, 1), new TextEncoder().encode('{}'))
    const before = await Array.fromAsync(kv.list({ prefix: kvKeys.history('default', erased.id) }))
    await app.ask('DELETE', `/v1/conversations/${erased.id}`)
    await until(
      'it is erased',
      async () => (await kv.get<Head>(head(erased))).value?.full === false,
    )
    // Before that, a node would erase the restored entries.
    await using database = await openPostgres(url)
    const text = 'SELECT 1 FROM cache_erasures'
    const isWorkedOff = async () => (await database.query({ text, params: [] })).length === 0
    await until('the erasure is worked off', isWorkedOff, 20_000)
    for (const { key, value } of before) await kv.set(key, value)

    const odd = [
      { id: behind.id, finding: 'behind' },
      { id: ahead.id, finding: 'ahead' },
      { id: different.id, finding: 'different' },
      { id: erased.id, finding: 'erased' },
    ]
    const found = await audit('--all')
    expect(found).toMatchObject({
      code: 1,
      counts: { equal: 1, absent: 1, behind: 1, ahead: 1, different: 1, erased: 1 },
      repaired: 0,
    })
    expect(found.odd).toEqual(expect.arrayContaining(odd))
    expect(await audit('--repair')).toMatchObject({ code: 0, repaired: 4 })
    expect(await audit()).toMatchObject({ code: 0, counts: { equal: 1, absent: 5 }, odd: [] })
  }, 60_000)

  test('the audit reports a key of a foreign type, leaves it and continues', async () => {
    await using redis = await startRedis()
    const url = await testDatabaseUrl()
    await using app = await testApp({ overrides: { cache: { url: redis.url }, database: { url } } })
    await until(
      'it is ready',
      async () => (await app.ask('GET', '/readyz')).body.status === 'ready',
    )
    const talks = [await newTalk(app), await newTalk(app), await newTalk(app)]
    for (const talk of talks) {
      await talk.say('Hello')
      await talk.cached()
    }
    const foreign = talks[1]?.id ?? ''
    const key = redis.ask('KEYS', `*${foreign}*`)
    redis.ask('SET', key, 'of somebody else')
    const places = ['--database.url', url, '--cache.url', redis.url]
    const audit = (...flags: string[]) => runTurnlog(['cache', 'audit', ...flags, ...places])
    for (const flags of [[], ['--repair']]) {
      const { code, out, err } = await audit(...flags)
      expect([code, err]).toEqual([1, ''])
      expect(out).toMatch(new RegExp(`^${foreign}  unreadable: Redis at .* answered WRONGTYPE`))
      expect(out).toMatch(/^ {2}equal +2$/m)
      expect(out).toMatch(/^ {2}unreadable +1$/m)
      if (flags.includes('--repair')) expect(out).toContain('Repaired: 0')
    }
    expect(JSON.parse((await audit('--json')).out)).toMatchObject({
      counts: { equal: 2, unreadable: 1 },
      odd: [{ id: foreign, finding: 'unreadable', reason: expect.stringContaining('WRONGTYPE') }],
    })
    expect(redis.ask('GET', key)).toBe('of somebody else')
  }, 120_000)

  test('the audit fails with a reason if there is no Redis or if Redis is away', async () => {
    const { code, err } = await runTurnlog(['cache', 'audit'])
    expect([code, err]).toEqual([
      1,
      'The cache is in the memory of the service, which no other process can read: set REDIS_URL to audit a Redis.\n',
    ])
    const unreachable = await runTurnlog(['cache', 'audit', '--cache.url', 'redis://127.0.0.1:1'])
    expect([unreachable.code, unreachable.err]).toEqual([
      1,
      expect.stringContaining('Redis at 127.0.0.1:1'),
    ])
    expect(await runTurnlog(['cache'])).toMatchObject({ code: 2 })
  }, 120_000)
})
