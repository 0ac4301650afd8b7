/**
 * Works off what was erased while the cache did not take it: the erasing call leaves a row, and
 * every node looks for rows, so that a crash in between leaves no message in a cache.
 */
import type { Events } from '../events.ts'
import type { Database } from '../ports/database.ts'
import type { Cache } from './cache.ts'
import { createRounds, type Rounds } from './rounds.ts'

const everyMs = 5000
const most = 100

const statements = {
  list: `SELECT tenant, conversation_id AS "id", version,
      erased_at < now() - make_interval(secs => $1::integer) AS "isPast"
    FROM cache_erasures ORDER BY erased_at LIMIT $2::integer`,
  done: `DELETE FROM cache_erasures WHERE tenant = $1 AND conversation_id = $2::uuid AND version = $3::bigint`,
}

type Row = { tenant: string; id: string; version: number; isPast: boolean }

export function createErasures(options: {
  readonly database: Database
  readonly cache: Cache
  /** Whether one node's erasure in the cache is everybody's. */
  readonly isShared: boolean
  readonly ttlSeconds: number
  readonly events: Pick<Events, 'workFailed'>
}): Rounds {
  const { database, cache, isShared, ttlSeconds, events } = options
  /** Where every node has a cache of its own, each has to erase, and nobody knows when all have. */
  const erasedHere = new Set<string>()

  const workOff = async () => {
    try {
      // By then, whatever was in a cache has expired.
      const rows = await database.query<Row>({
        text: statements.list,
        // What was erased here stays in the list for the others, and must not stand before the rest.
        params: [2 * ttlSeconds, most + erasedHere.size],
      })
      // Another node may have deleted the row.
      const listed = new Set(rows.map(({ id }) => id))
      for (const id of erasedHere) if (!listed.has(id)) erasedHere.delete(id)
      for (const { tenant, id, version, isPast } of rows) {
        const isErased = erasedHere.has(id) || (await cache.erase(tenant, id, version))
        if (isErased && !isShared) erasedHere.add(id)
        if (isPast) erasedHere.delete(id)
        if (isPast || (isErased && isShared))
          await database.query({ text: statements.done, params: [tenant, id, version] })
      }
    } catch (thrown) {
      // The rows are there the next time.
      events.workFailed('cache-erasures', thrown)
    }
  }

  return createRounds(everyMs, workOff)
}
