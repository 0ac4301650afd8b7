/**
 * Erasures that a cache may not have made yet. The call that erases a conversation leaves a row in
 * the database, and every node polls these rows. A conversation with such a row is not read from a
 * cache, and is erased there. So no message is shown after its erasure, even if the KV refuses writes
 * or a node crashes.
 */
import type { Events } from '../../events.ts'
import { createPeriodicWork, type PeriodicWork } from '../../mechanics/periodic-work.ts'
import type { Database } from '../../ports/database.ts'
import { conversationName } from '../wire/kv-keys.ts'
import type { Effect } from '../writing/effects.ts'
import type { Cache } from './cache.ts'

export type Erasures = PeriodicWork & {
  /** Lists a conversation as soon as this node erases it. */
  readonly effect: Effect
  /** Whether the conversation must not be read from a cache. */
  isListed(tenant: string, id: string): boolean
  /** Reads the rows, but erases nothing. Never rejects. */
  refresh(): Promise<void>
}

const pollMs = 5000
/** The maximum number of conversations that one poll erases in the cache. */
const batchMax = 100
/** The maximum number of names that a node keeps. With more rows, it reads nothing from a cache. */
const listedMax = 10_000

export const erasureStatements = {
  list: `SELECT tenant, conversation_id AS "id", version,
      erased_at < now() - make_interval(secs => $1::integer) AS "isPast"
    FROM cache_erasures ORDER BY erased_at LIMIT $2::integer`,
  done: `DELETE FROM cache_erasures WHERE tenant = $1 AND conversation_id = $2::uuid AND version = $3::bigint`,
}

export type PendingErasureRow = { tenant: string; id: string; version: number; isPast: boolean }

/** Begins to poll the rows every five seconds. Disposing stops it. */
export function createErasures(options: {
  readonly database: Database
  readonly cache: Cache
  /** Whether all nodes share the cache, so that one node's erasure is enough. */
  readonly isShared: boolean
  readonly ttlSeconds: number
  readonly events: Pick<Events, 'workFailed'>
  /** @default 10,000 */
  readonly listedMax?: number
}): Erasures {
  const { database, cache, isShared, ttlSeconds, events } = options
  const namesMax = options.listedMax ?? listedMax
  /**
   * Conversations that were erased in this process's cache. If each node has its own cache, their
   * rows stay until no cache can hold them.
   */
  const erasedHere = new Set<string>()
  /** The listed conversations, each with the number of polls that had begun when it was listed. */
  let listed = new Map<string, number>()
  let isOverfull = false
  let polls = 0

  const list = async (): Promise<readonly PendingErasureRow[]> => {
    polls += 1
    const poll = polls
    const rows = await database.query<PendingErasureRow>({
      text: erasureStatements.list,
      // After twice their time to live, no entries are left in any cache. Rows that were erased
      // here stay for the other nodes; the limit grows by their number, so that they do not hide
      // the others.
      params: [2 * ttlSeconds, isShared ? namesMax + 1 : batchMax + erasedHere.size],
    })
    if (!isShared) return rows
    isOverfull = rows.length > namesMax
    // A conversation listed since this poll began may not be among its rows.
    const listedSince = [...listed].filter(([, before]) => before >= poll)
    const named = rows.map(({ tenant, id }): [string, number] => [conversationName(tenant, id), 0])
    listed = new Map([...named, ...listedSince])
    return rows
  }

  const workOff = async () => {
    try {
      const rows = await list()
      // Another node may have deleted the row.
      const pendingIds = new Set(rows.map(({ id }) => id))
      for (const id of erasedHere) if (!pendingIds.has(id)) erasedHere.delete(id)
      for (const { tenant, id, version, isPast } of rows.slice(0, batchMax + erasedHere.size)) {
        const isErased = erasedHere.has(id) || (await cache.erase(tenant, id, version))
        if (isErased && !isShared) erasedHere.add(id)
        if (isPast) erasedHere.delete(id)
        if (isPast || (isErased && isShared))
          await database.query({ text: erasureStatements.done, params: [tenant, id, version] })
      }
    } catch (thrown) {
      // The next poll finds the rows again.
      events.workFailed('cache-erasures', thrown)
    }
  }

  return {
    ...createPeriodicWork(pollMs, workOff),
    effect: {
      name: 'erasures',
      committed({ tenant, conversationId, touched }) {
        if (touched === 'erased' && isShared)
          listed.set(conversationName(tenant, conversationId), polls)
      },
    },
    isListed: (tenant, id) => isOverfull || listed.has(conversationName(tenant, id)),
    async refresh() {
      await list().catch((thrown: unknown) => events.workFailed('cache-erasures', thrown))
    },
  }
}
