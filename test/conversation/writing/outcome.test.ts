/** The outcome of a turn whose connection to the database is lost. */
import { describe, expect, test } from 'bun:test'
import postgres from 'postgres'
import { openDatabase } from '../../../adapters/open.ts'
import { newId } from '../../../src/conversation/wire/ids.ts'
import { localPrincipal as me } from '../../../src/conversation/wire/principal.ts'
import { DatabaseError } from '../../../src/ports/database.ts'
import { testDatabaseUrl } from '../../support/servers/postgres.ts'
import type { TestProxy } from '../../support/servers/proxy.ts'
import { openStore } from '../../support/store.ts'
import {
  codeOf,
  hold,
  options,
  proxied,
  reachable,
  texts,
  turn,
  waiters,
} from '../../support/writing/lost-answers.ts'

/** Cuts every connection when the answer of the record call arrives, after its commit. */
function cutTheAnswer(proxy: TestProxy, times = 1): () => number {
  let cuts = 0
  proxy.onServerBytes = (chunk) => {
    if (cuts >= times || !chunk.includes('recorded')) return 'pass'
    cuts += 1
    return 'cut'
  }
  return () => cuts
}

describe('a connection cut between the commit and its answer', () => {
  test.each([undefined, 'k'])(
    'a turn with key %p whose answer is lost is looked up and answered as recorded, once',
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

  test('a turn whose caller gave every id is found again only by its key', async () => {
    await using opened = await proxied()
    const named = { user: { id: newId(), text: 'a' }, assistant: { id: newId(), responses: ['a'] } }
    cutTheAnswer(opened.proxy)
    expect(await codeOf(opened.store.recordTurn(me, opened.id, named))).toBe('outcome-unknown')
    expect(await codeOf(opened.store.recordTurn(me, opened.id, named))).toBe('id-taken')
    const keyed = { user: { id: newId(), text: 'b' }, assistant: { id: newId(), responses: ['b'] } }
    cutTheAnswer(opened.proxy)
    const recorded = await opened.store.recordTurn(me, opened.id, keyed, 'k')
    expect(recorded?.humanMessageId).toBe(keyed.user.id)
    expect(await texts(opened)).toEqual(['a', 'a', 'b', 'b'])
  })

  test('a turn whose answer is lost has an unknown outcome while the database is away, and a retry finds it', async () => {
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

  test('every turn of a batch whose answer is lost is answered as recorded', async () => {
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
  test('a turn without a key has an unknown outcome, because the lost call may still run', async () => {
    await using opened = await proxied()
    const release = await hold(opened.direct, [opened.id])
    const settled = codeOf(opened.store.recordTurn(me, opened.id, turn('a')))
    while ((await waiters(opened.direct.options.database)) === 0) await Bun.sleep(5)
    opened.proxy.cut()
    expect(await settled).toBe('outcome-unknown')
    await release()
  })

  test('an unknown outcome is retryable only with a key, and does not show its cause', async () => {
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

  test('a turn with a key is sent again, and is recorded once', async () => {
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

describe('a lost call that may still run', () => {
  test('a turn has an unknown outcome even if sending it again was definitely refused', async () => {
    await using opened = await proxied()
    const release = await hold(opened.direct, [opened.id])
    const recording = codeOf(opened.store.recordTurn(me, opened.id, turn('a'), 'k'))
    while ((await waiters(opened.direct.options.database)) === 0) await Bun.sleep(5)
    opened.proxy.cut()
    // The second call reaches the lock timeout while the first still waits for the lock.
    expect(await recording).toBe('outcome-unknown')
    await release()
  })
})

describe('a database with synchronous_commit off or local', () => {
  test.each(['off', 'local'])(
    'a turn is written to disk before its answer although synchronous_commit is %s',
    async (setting) => {
      const url = await testDatabaseUrl()
      const sql = postgres(url, { max: 1, onnotice: () => {} })
      await sql.unsafe(
        `alter database ${new URL(url).pathname.slice(1)} set synchronous_commit = ${setting}`,
      )
      await using opened = await openStore(await openDatabase({ ...options, url }))
      await sql.unsafe(`
      create table settings (setting text);
      create function note_setting() returns trigger language plpgsql as
        $$ begin insert into settings values (current_setting('synchronous_commit')); return new; end $$;
      create trigger note_setting after insert on conversation_messages for each statement execute function note_setting();`)
      const { conversation } = await opened.store.createConversation(me, {})
      await opened.store.recordTurn(me, conversation.id, turn('a'))
      const settings = await sql`select setting from settings`
      expect(settings.map((row) => row['setting'])).toEqual(['on'])
      await sql.end()
    },
  )
})
