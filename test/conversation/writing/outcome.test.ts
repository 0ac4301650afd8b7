/** What a turn is told when the database, the network or another writer gets in the way. */
import { describe, expect, test } from 'bun:test'
import postgres from 'postgres'
import { openDatabase } from '../../../adapters/open.ts'
import { newId } from '../../../src/conversation/wire/ids.ts'
import { localPrincipal as me } from '../../../src/conversation/wire/principal.ts'
import type { NewTurn } from '../../../src/conversation/wire/schemas.ts'
import { DatabaseError } from '../../../src/ports/database.ts'
import { Problem } from '../../../src/problem.ts'
import { testDatabaseUrl } from '../../support/servers/postgres.ts'
import { startProxy, type TestProxy } from '../../support/servers/proxy.ts'
import { type OpenStore, openStore } from '../../support/store.ts'

const options = {
  directory: '.turnlog',
  connectionsMax: 8,
  prepare: true,
  deadlineMs: 1500,
  connectTimeoutMs: 1000,
  startWaitSeconds: 30,
  allowUnsafe: false,
}

const turn = (text: string): NewTurn => ({ user: { text }, assistant: { responses: [text] } })

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'no problem'
  } catch (error) {
    if (error instanceof Problem) return error.code
    throw error
  }
}

/** Waits until the database answers again. */
async function reachable({
  reader,
  id,
}: Pick<OpenStore, 'reader'> & { id: string }): Promise<void> {
  while ((await codeOf(reader.head(me, id))) !== 'no problem') await Bun.sleep(5)
}

/** A store whose every byte to and from Postgres goes through a proxy. */
async function proxied() {
  const url = new URL(await testDatabaseUrl())
  const proxy = await startProxy(Number(url.port))
  const directUrl = url.href
  const direct = postgres(directUrl, { max: 1, onnotice: () => {} })
  url.port = String(proxy.port)
  const opened = await openStore(await openDatabase({ ...options, url: url.href }))
  const { conversation } = await opened.store.createConversation(me, {})
  return {
    ...opened,
    proxy,
    direct,
    directUrl,
    id: conversation.id,
    async [Symbol.asyncDispose]() {
      await opened[Symbol.asyncDispose]()
      await direct.end()
      await proxy[Symbol.asyncDispose]()
    },
  }
}

/** Holds the rows of conversations as another writer would, until it is told to let go. */
async function hold(sql: postgres.Sql, ids: readonly string[]): Promise<() => Promise<void>> {
  const released = Promise.withResolvers<void>()
  const holding = Promise.withResolvers<void>()
  const transaction = sql.begin(async (inside) => {
    await inside`select from conversations where id in ${inside([...ids])} for update`
    holding.resolve()
    await released.promise
  })
  await holding.promise
  return async () => {
    released.resolve()
    await transaction
  }
}

/** How many sessions of a database wait for a lock. */
async function waiters(database: string): Promise<number> {
  const url = Object.assign(new URL(await testDatabaseUrl()), { pathname: `/${database}` })
  const sql = postgres(url.href, { max: 1 })
  const [row] = await sql`select count(*)::int as n from pg_stat_activity
    where datname = ${database} and wait_event_type = 'Lock'`
  await sql.end()
  return Number(row?.['n'])
}

/** Cuts every connection when the record function's answer comes by, after its commit. */
function cutTheAnswer(proxy: TestProxy, times = 1): () => number {
  let cuts = 0
  proxy.onServerBytes = (chunk) => {
    if (cuts >= times || !chunk.includes('recorded')) return 'pass'
    cuts += 1
    return 'cut'
  }
  return () => cuts
}

const texts = async ({ reader, id }: Awaited<ReturnType<typeof proxied>>) =>
  (await reader.messages(me, id, { limit: 100, order: 'asc' })).messages.map((one) => one.content)

describe('a connection cut between the commit and its answer', () => {
  test.each([undefined, 'k'])(
    'is found out: the turn with key %p is answered as recorded, once',
    async (key) => {
      await using opened = await proxied()
      const cuts = cutTheAnswer(opened.proxy)
      const recorded = await opened.store.recordTurn(me, opened.id, turn('a'), key)
      expect(cuts()).toBe(1)
      expect(recorded).toMatchObject({ version: 2, replayed: false })
      expect(recorded?.messages).toEqual(
        (await opened.reader.messages(me, opened.id, { limit: 9, order: 'asc' })).messages,
      )
      expect(opened.commits.at(-1)).toMatchObject({ from: 1, version: 2 })
      expect(await texts(opened)).toEqual(['a', 'a'])
    },
  )

  test('is told by a key alone where the caller gave every id', async () => {
    await using opened = await proxied()
    const given = { user: { id: newId(), text: 'a' }, assistant: { id: newId(), responses: ['a'] } }
    cutTheAnswer(opened.proxy)
    expect(await codeOf(opened.store.recordTurn(me, opened.id, given))).toBe('outcome-unknown')
    expect(await codeOf(opened.store.recordTurn(me, opened.id, given))).toBe('id-taken')
    const keyed = { user: { id: newId(), text: 'b' }, assistant: { id: newId(), responses: ['b'] } }
    cutTheAnswer(opened.proxy)
    const recorded = await opened.store.recordTurn(me, opened.id, keyed, 'k')
    expect(recorded?.humanMessageId).toBe(keyed.user.id)
    expect(await texts(opened)).toEqual(['a', 'a', 'b', 'b'])
  })

  test('is an unknown outcome while the database stays away, and the retry finds the one turn', async () => {
    await using opened = await proxied()
    const cuts = cutTheAnswer(opened.proxy)
    const away = opened.store.recordTurn(me, opened.id, turn('a'), 'k')
    const settled = codeOf(away)
    while (cuts() === 0) await Bun.sleep(1)
    opened.proxy.refuse()
    expect(await settled).toBe('outcome-unknown')
    await opened.proxy.accept()
    await reachable(opened)
    const again = await opened.store.recordTurn(me, opened.id, turn('a'), 'k')
    expect(again).toMatchObject({ version: 2, replayed: true })
    expect(await texts(opened)).toEqual(['a', 'a'])
  })

  test('is found out for every turn of a batch', async () => {
    await using opened = await proxied()
    cutTheAnswer(opened.proxy)
    const recorded = await Promise.all(
      Array.from({ length: 20 }, (_, n) => opened.store.recordTurn(me, opened.id, turn(`${n}`))),
    )
    expect(new Set(recorded.map((one) => one?.version)).size).toBe(20)
    expect(await texts(opened)).toHaveLength(40)
  })
})

describe('a connection cut before the commit', () => {
  test('leaves a turn without a key unknown, for the call may yet run', async () => {
    await using opened = await proxied()
    const release = await hold(opened.direct, [opened.id])
    const settled = codeOf(opened.store.recordTurn(me, opened.id, turn('a')))
    while ((await waiters(opened.direct.options.database)) === 0) await Bun.sleep(5)
    opened.proxy.cut()
    expect(await settled).toBe('outcome-unknown')
    await release()
  })

  test('is retryable with a key and not without one, and its cause stays inside', async () => {
    await using opened = await proxied()
    const other = (await opened.store.createConversation(me, {})).conversation.id
    const release = await hold(opened.direct, [opened.id, other])
    const problemOf = (id: string, key?: string) =>
      opened.store.recordTurn(me, id, turn('a'), key).then(Object, Object)
    const problems = [problemOf(opened.id), problemOf(other, 'k')]
    while ((await waiters(opened.direct.options.database)) < 2) await Bun.sleep(5)
    opened.proxy.refuse()
    opened.proxy.cut()
    const [without, keyed] = await Promise.all(problems)
    await release()
    expect([without.code, without.retryable]).toEqual(['outcome-unknown', false])
    expect([keyed.code, keyed.retryable]).toEqual(['outcome-unknown', true])
    expect(without.cause).toBeInstanceOf(DatabaseError)
    expect(JSON.stringify(without.body())).not.toMatch(/127\.0\.0\.1|lost:/)
  })

  test('sends a turn with a key again, and records it once', async () => {
    await using opened = await proxied()
    const release = await hold(opened.direct, [opened.id])
    const recording = opened.store.recordTurn(me, opened.id, turn('a'), 'k')
    while ((await waiters(opened.direct.options.database)) === 0) await Bun.sleep(5)
    opened.proxy.cut()
    await release()
    expect(await recording).toMatchObject({ version: 2, replayed: false })
    expect(await texts(opened)).toEqual(['a', 'a'])
  })
})

describe('a call that may yet run', () => {
  test('leaves a turn unknown even where sending it again was refused for certain', async () => {
    await using opened = await proxied()
    const release = await hold(opened.direct, [opened.id])
    const recording = codeOf(opened.store.recordTurn(me, opened.id, turn('a'), 'k'))
    while ((await waiters(opened.direct.options.database)) === 0) await Bun.sleep(5)
    opened.proxy.cut()
    // The second call runs into the lock timeout, while the first still waits for the lock.
    expect(await recording).toBe('outcome-unknown')
    await release()
  })
})

describe('a database that is away', () => {
  test('refuses writes and reads for a while, and needs no restart when it is back', async () => {
    await using opened = await proxied()
    opened.proxy.refuse()
    opened.proxy.cut()
    // What was sent before the cut was noticed is unknown; from then on it is certain.
    while ((await codeOf(opened.reader.head(me, opened.id))) === 'no problem') await Bun.sleep(1)
    expect(await codeOf(opened.store.recordTurn(me, opened.id, turn('a')))).toBe(
      'database-unavailable',
    )
    expect(await codeOf(opened.reader.history(me, opened.id, {}))).toBe('database-unavailable')
    expect(await codeOf(opened.store.createConversation(me, {}))).toBe('database-unavailable')
    await opened.proxy.accept()
    await reachable(opened)
    expect(await opened.store.recordTurn(me, opened.id, turn('a'))).toMatchObject({ version: 2 })
  })

  test('that fell silent is given up within the deadline, and writes go on when it speaks again', async () => {
    await using opened = await proxied()
    opened.proxy.freeze()
    const codes = await Promise.all([
      codeOf(opened.store.recordTurn(me, opened.id, turn('a'), 'k')),
      Bun.sleep(0).then(() =>
        codeOf(opened.store.attachTts(me, opened.id, undefined, { ttsAudioUrls: ['http://a'] })),
      ),
    ])
    expect(codes[0]).toBe('outcome-unknown')
    expect(codes[1]).toMatch(/outcome-unknown|database-unavailable/)
    opened.proxy.thaw()
    await reachable(opened)
    await opened.store.recordTurn(me, opened.id, turn('a'), 'k')
    expect(await texts(opened)).toEqual(['a', 'a'])
  }, 20_000)
})

describe('a conversation that another writer holds', () => {
  test('keeps nobody else waiting, and its turns keep their order', async () => {
    await using opened = await proxied()
    const other = (await opened.store.createConversation(me, {})).conversation.id
    const release = await hold(opened.direct, [opened.id])
    const held = Array.from({ length: 5 }, (_, n) =>
      opened.store.recordTurn(me, opened.id, turn(`${n}`)),
    )
    for (let n = 0; n < 5; n += 1) await opened.store.recordTurn(me, other, turn(`${n}`))
    await release()
    await Promise.all(held)
    expect(await texts(opened)).toEqual(['0', '0', '1', '1', '2', '2', '3', '3', '4', '4'])
  })

  test('for a moment does not stand behind many that are held for long', async () => {
    await using opened = await proxied()
    const create = async () => (await opened.store.createConversation(me, {})).conversation.id
    const long = await Promise.all(Array.from({ length: 8 }, create))
    const brief = await create()
    const releaseLong = await hold(opened.direct, long)
    const second = postgres(opened.directUrl, { max: 1, onnotice: () => {} })
    const releaseBrief = await hold(second, [brief])
    let longDone = 0
    const behind = long.map(async (id) => {
      await opened.store.recordTurn(me, id, turn('a'))
      longDone += 1
    })
    const inFront = opened.store.recordTurn(me, brief, turn('a'))
    while ((await waiters(opened.direct.options.database)) < 2) await Bun.sleep(5)
    await releaseBrief()
    expect(await inFront).toMatchObject({ version: 2 })
    expect(longDone).toBe(0)
    await releaseLong()
    await Promise.all(behind)
    await second.end()
  })

  test('for longer than the lock timeout is busy, with nothing written', async () => {
    await using opened = await proxied()
    const release = await hold(opened.direct, [opened.id])
    const busy = await Promise.all([
      codeOf(opened.store.recordTurn(me, opened.id, turn('a'))),
      codeOf(opened.store.createSegment(me, opened.id, { id: newId() })),
    ])
    await release()
    expect(busy).toEqual(['conversation-busy', 'conversation-busy'])
    expect(await texts(opened)).toEqual([])
  })
})

describe('more turns than may wait', () => {
  test('are refused at once, and those that were taken are recorded', async () => {
    await using opened = await proxied()
    const codes = await Promise.all(
      Array.from({ length: 6000 }, (_, n) =>
        codeOf(opened.store.recordTurn(me, opened.id, turn(`${n}`))),
      ),
    )
    const refused = codes.filter((code) => code === 'overloaded').length
    expect(new Set(codes)).toEqual(new Set(['no problem', 'overloaded']))
    expect(refused).toBeGreaterThan(0)
    expect((await opened.reader.head(me, opened.id)).version).toBe(1 + 6000 - refused)
  }, 30_000)
})

describe('a server that confirms before it has written', () => {
  test.each(['off', 'local'])(
    'is made to write every turn first: synchronous_commit %s is on inside',
    async (setting) => {
      const url = await testDatabaseUrl()
      const sql = postgres(url, { max: 1, onnotice: () => {} })
      await sql.unsafe(
        `alter database ${new URL(url).pathname.slice(1)} set synchronous_commit = ${setting}`,
      )
      await using opened = await openStore(await openDatabase({ ...options, url }))
      await sql.unsafe(`
      create table seen (setting text);
      create function look() returns trigger language plpgsql as
        $$ begin insert into seen values (current_setting('synchronous_commit')); return new; end $$;
      create trigger look after insert on conversation_messages for each statement execute function look();`)
      const { conversation } = await opened.store.createConversation(me, {})
      await opened.store.recordTurn(me, conversation.id, turn('a'))
      const seen = await sql`select setting from seen`
      expect(seen.map((row) => row['setting'])).toEqual(['on'])
      await sql.end()
    },
  )
})
