/** The outcome of turns that wait for the database, for another writer, or for their batch. */
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

describe('a database that does not answer', () => {
  test('a write or read fails while the database is away, and works again without a restart', async () => {
    await using opened = await proxied()
    opened.proxy.refuse()
    opened.proxy.cut()
    // The outcome of a write that was sent before the cut was noticed is unknown. Later ones are
    // certain.
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

  test('a write to a silent database fails within the deadline, and writes work once it answers again', async () => {
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

describe('a conversation that another writer has locked', () => {
  test('a locked conversation does not delay others, and its turns keep their order', async () => {
    await using opened = await proxied()
    const other = (await opened.store.createConversation(me, {})).conversation.id
    const release = await hold(opened.direct, [opened.id])
    const waiting = Array.from({ length: 5 }, (_, n) =>
      opened.store.recordTurn(me, opened.id, turn(`${n}`)),
    )
    for (let n = 0; n < 5; n += 1) await opened.store.recordTurn(me, other, turn(`${n}`))
    await release()
    await Promise.all(waiting)
    expect(await texts(opened)).toEqual(['0', '0', '1', '1', '2', '2', '3', '3', '4', '4'])
  })

  test('a conversation that is locked briefly does not wait for those that are locked for long', async () => {
    await using opened = await proxied()
    const create = async () => (await opened.store.createConversation(me, {})).conversation.id
    const long = await Promise.all(Array.from({ length: 8 }, create))
    const brief = await create()
    const releaseLong = await hold(opened.direct, long)
    const second = postgres(opened.directUrl, { max: 1, onnotice: () => {} })
    const releaseBrief = await hold(second, [brief])
    let longDone = 0
    const blocked = long.map(async (id) => {
      await opened.store.recordTurn(me, id, turn('a'))
      longDone += 1
    })
    const briefly = opened.store.recordTurn(me, brief, turn('a'))
    while ((await waiters(opened.direct.options.database)) < 2) await Bun.sleep(5)
    await releaseBrief()
    expect(await briefly).toMatchObject({ version: 2 })
    expect(longDone).toBe(0)
    await releaseLong()
    await Promise.all(blocked)
    await second.end()
  })

  test('a write to a conversation that is locked past the lock timeout fails with conversation-busy', async () => {
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

describe('more turns than the bound of waiting turns', () => {
  test('a turn past the bound is refused with overloaded, and all others are recorded', async () => {
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
