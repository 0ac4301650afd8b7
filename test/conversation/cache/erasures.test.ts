/** Erasures that a cache may not have made yet. */
import { describe, expect, test } from 'bun:test'
import type { Cache } from '../../../src/conversation/cache/cache.ts'
import { createErasures } from '../../../src/conversation/cache/erasures.ts'
import type { Commit } from '../../../src/conversation/writing/effects.ts'
import { createEvents } from '../../../src/events.ts'
import { freshPostgres } from '../../support/servers/databases.ts'

test('a node with a cache of its own erases each of 250 conversations exactly once', async () => {
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

describe('an erased conversation', () => {
  const tenant = 'default'
  const ids = [1, 2, 3].map((n) => `0192f0c1-7c00-7000-8000-00000000000${n}`)
  const [first = '', second = '', third = ''] = ids
  const erasedIn = (conversationId: string): Commit => ({
    ...{ tenant, conversationId, from: 1, version: 2 },
    ...{ messages: [], touched: 'erased' },
  })
  /** Nodes on one cache, which confirms erasures while `kv.acceptsWrites`. */
  async function nodesOf(count: number, listedMax?: number) {
    const database = await freshPostgres()
    await database.migrate()
    const kv = { acceptsWrites: false }
    const cache = { erase: () => Promise.resolve(kv.acceptsWrites) } as unknown as Cache
    const nodes = Array.from({ length: count }, () =>
      createErasures({
        ...{ database, cache, isShared: true, ttlSeconds: 600, events: createEvents(() => {}) },
        ...(listedMax === undefined ? {} : { listedMax }),
      }),
    )
    return {
      nodes,
      kv,
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

  test('an erased conversation is listed at once on its node and after a poll on others, until the cache confirms', async () => {
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
    world.kv.acceptsWrites = true
    await erasing.workOff()
    // The row is deleted, and each node finds that by its own poll.
    for (const node of [erasing, other]) await node.workOff()
    expect(listed()).toEqual([false, false])
  })

  test('a conversation erased during a poll stays listed, although the poll did not find its row', async () => {
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

  test('every conversation is listed while there are more rows than a node remembers', async () => {
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
