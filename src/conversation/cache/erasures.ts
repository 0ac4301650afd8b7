/**
 * Conversations that were erased while a cache may still have them: the erasing call leaves a row,
 * and every node looks for rows. What they name is read from no cache, and is erased in it, so that
 * neither a KV that takes no writes nor a crash in between shows what was erased.
 */
import type { Events } from '../../events.ts'
import { createRounds, type Rounds } from '../../mechanics/rounds.ts'
import type { Database } from '../../ports/database.ts'
import { conversationName } from '../wire/kv-keys.ts'
import type { Effect } from '../writing/effects.ts'
import type { Cache } from './cache.ts'

export type Erasures = Rounds & {
  /** Lists what this node erases, at once. */
  readonly effect: Effect
  /** Whether the conversation must not be read from a cache. */
  isListed(tenant: string, id: string): boolean
  /** Reads the rows without working them off; never rejects. */
  refresh(): Promise<void>
}

const everyMs = 5000
/** Erased in the cache in one look. */
const most = 100
/** Names that a node remembers. Where there are more rows, no conversation is read from a cache. */
const listedMax = 10_000

export const erasureStatements = {
  list: `SELECT tenant, conversation_id AS "id", version,
      erased_at < now() - make_interval(secs => $1::integer) AS "isPast"
    FROM cache_erasures ORDER BY erased_at LIMIT $2::integer`,
  done: `DELETE FROM cache_erasures WHERE tenant = $1 AND conversation_id = $2::uuid AND version = $3::bigint`,
}

export type PendingErasureRow = { tenant: string; id: string; version: number; isPast: boolean }

export function createErasures(options: {
  readonly database: Database
  readonly cache: Cache
  /** Whether one node's erasure in the cache is everybody's. */
  readonly isShared: boolean
  readonly ttlSeconds: number
  readonly events: Pick<Events, 'workFailed'>
  /** @default 10,000 */
  readonly listedMax?: number
}): Erasures {
  const { database, cache, isShared, ttlSeconds, events } = options
  const namesMax = options.listedMax ?? listedMax
  /** Where every node has a cache of its own, each has to erase, and nobody knows when all have. */
  const erasedHere = new Set<string>()
  /** Each with the number of the look that was the last before it was listed here. */
  let listed = new Map<string, number>()
  let isOverfull = false
  let looks = 0

  const list = async (): Promise<readonly PendingErasureRow[]> => {
    looks += 1
    const look = looks
    const rows = await database.query<PendingErasureRow>({
      text: erasureStatements.list,
      // By then, whatever was in a cache has expired. What was erased here stays in the list for the
      // other nodes, and must not stand before the rest.
      params: [2 * ttlSeconds, isShared ? namesMax + 1 : most + erasedHere.size],
    })
    if (!isShared) return rows
    isOverfull = rows.length > namesMax
    // What was erased here while the rows were on their way may not be among them.
    const later = [...listed].filter(([, before]) => before >= look)
    const named = rows.map(({ tenant, id }): [string, number] => [conversationName(tenant, id), 0])
    listed = new Map([...named, ...later])
    return rows
  }

  const workOff = async () => {
    try {
      const rows = await list()
      // Another node may have deleted the row.
      const there = new Set(rows.map(({ id }) => id))
      for (const id of erasedHere) if (!there.has(id)) erasedHere.delete(id)
      for (const { tenant, id, version, isPast } of rows.slice(0, most + erasedHere.size)) {
        const isErased = erasedHere.has(id) || (await cache.erase(tenant, id, version))
        if (isErased && !isShared) erasedHere.add(id)
        if (isPast) erasedHere.delete(id)
        if (isPast || (isErased && isShared))
          await database.query({ text: erasureStatements.done, params: [tenant, id, version] })
      }
    } catch (thrown) {
      // The rows are there the next time.
      events.workFailed('cache-erasures', thrown)
    }
  }

  return {
    ...createRounds(everyMs, workOff),
    effect: {
      name: 'erasures',
      committed({ tenant, conversationId, touched }) {
        if (touched === 'erased' && isShared)
          listed.set(conversationName(tenant, conversationId), looks)
      },
    },
    isListed: (tenant, id) => isOverfull || listed.has(conversationName(tenant, id)),
    async refresh() {
      await list().catch((thrown: unknown) => events.workFailed('cache-erasures', thrown))
    },
  }
}
