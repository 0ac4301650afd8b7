/** What a turn is told when it must wait: for the database, another writer, or its turn. */
import { describe, expect, test } from 'bun:test'
import postgres from 'postgres'
import { newId } from '../../../src/conversation/wire/ids.ts'
import { localPrincipal as me } from '../../../src/conversation/wire/principal.ts'
import {
  codeOf,
  hold,
  proxied,
  reachable,
  texts,
  turn,
  waiters,
} from '../../support/writing/lost-answers.ts'

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
