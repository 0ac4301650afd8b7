/** Erasures that a cache has yet to hear of. */
import { describe, expect, test } from 'bun:test'
import type { Cache } from '../../../src/conversation/cache/cache.ts'
import { createErasures } from '../../../src/conversation/cache/erasures.ts'
import type { Commit } from '../../../src/conversation/writing/effects.ts'
import { createEvents } from '../../../src/events.ts'
import { freshPostgres } from '../../support/servers/databases.ts'

test('of caches of their own, however many: each node works off all of them, each once', async () => {
  await using database = await freshPostgres()
  await database.migrate()
  await database.query({
    text: `INSERT INTO cache_erasures (tenant, conversation_id, version, erased_at)
      SELECT 'default', gen_random_uuid(), 2, now() + make_interval(secs => n) FROM generate_series(1, 250) n`,
    params: [],
  })
  const erased: string[] = []
  const erase: Cache['erase'] = (_, id) => {
    erased.push(id)
    return Promise.resolve(true)
  }
  const cache = { erase } as Cache
  using erasures = createErasures({
    ...{ database, cache, isShared: false, ttlSeconds: 600 },
    events: createEvents(() => {}),
  })
  for (let look = 1; look <= 4; look += 1) await erasures.workOff()
  expect([erased.length, new Set(erased).size]).toEqual([250, 250])
})

describe('a conversation that was erased', () => {
  const tenant = 'default'
  const ids = [1, 2, 3].map((n) => `0192f0c1-7c00-7000-8000-00000000000${n}`)
  const [first = '', second = '', third = ''] = ids
  const erasedIn = (conversationId: string): Commit => ({
    ...{ tenant, conversationId, from: 1, version: 2 },
    ...{ messages: [], touched: 'erased' },
  })
  /** Nodes on one cache, which takes an erasure or not. */
  async function nodesOf(count: number, listedMax?: number) {
    const database = await freshPostgres()
    await database.migrate()
    const store = { takes: false }
    const cache = { erase: () => Promise.resolve(store.takes) } as unknown as Cache
    const nodes = Array.from({ length: count }, () =>
      createErasures({
        ...{ database, cache, isShared: true, ttlSeconds: 600, events: createEvents(() => {}) },
        ...(listedMax === undefined ? {} : { listedMax }),
      }),
    )
    return {
      nodes,
      store,
      erase: (id: string) =>
        database.query({
          text: `INSERT INTO cache_erasures (tenant, conversation_id, version, erased_at)
            VALUES ($1, $2::uuid, 2, now())`,
          params: [tenant, id],
        }),
      async [Symbol.asyncDispose]() {
        for (const node of nodes) node[Symbol.dispose]()
        await database[Symbol.asyncDispose]()
      },
    }
  }

  test('is listed at the erasing node at once, at others once they look, until a cache confirms it', async () => {
    await using world = await nodesOf(2)
    const [erasing, other] = world.nodes
    if (erasing === undefined || other === undefined) throw new Error('too few')
    const listed = () => [erasing, other].map((node) => node.isListed(tenant, first))
    await world.erase(first)
    expect(listed()).toEqual([false, false])
    erasing.effect.committed(erasedIn(first))
    expect(listed()).toEqual([true, false])
    await other.refresh()
    expect(listed()).toEqual([true, true])
    expect(other.isListed(tenant, second)).toBe(false)
    for (const node of [erasing, other]) await node.workOff()
    expect(listed()).toEqual([true, true])
    world.store.takes = true
    await erasing.workOff()
    // The row is gone; each has to see that for itself.
    for (const node of [erasing, other]) await node.workOff()
    expect(listed()).toEqual([false, false])
  })

  test('stays listed where its row was not there yet when the node looked', async () => {
    await using world = await nodesOf(1)
    const [node] = world.nodes
    if (node === undefined) throw new Error('none')
    const looking = node.workOff()
    node.effect.committed(erasedIn(first))
    await looking
    expect(node.isListed(tenant, first)).toBe(true)
    await node.workOff()
    expect(node.isListed(tenant, first)).toBe(false)
  })

  test('is one of too many to remember: then nothing is read from a cache', async () => {
    await using world = await nodesOf(1, 1)
    const [node] = world.nodes
    if (node === undefined) throw new Error('none')
    await world.erase(first)
    await node.refresh()
    expect(node.isListed(tenant, third)).toBe(false)
    await world.erase(second)
    await node.refresh()
    expect(node.isListed(tenant, third)).toBe(true)
  })
})
