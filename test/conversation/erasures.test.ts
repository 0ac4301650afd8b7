/** Erasures that a cache has yet to hear of. */
import { expect, test } from 'bun:test'
import type { Cache } from '../../src/conversation/cache.ts'
import { createErasures } from '../../src/conversation/erasures.ts'
import { createEvents } from '../../src/events.ts'
import { freshPostgres } from '../support/databases.ts'

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
