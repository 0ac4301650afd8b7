/** The version of many conversations, asked for together: one narrow row each. */
import { Batcher } from '../../mechanics/batcher.ts'
import type { Database } from '../../ports/database.ts'
import { ask } from '../sql/database-problems.ts'
import { conversationName } from '../wire/kv-keys.ts'

export type Current = {
  readonly version: number
  readonly isErased: boolean
}

export type Versions = {
  /**
   * As of a moment after the call. Undefined where there is no such conversation. Fails with
   * a `database-` code.
   */
  current(tenant: string, id: string): Promise<Current | undefined>
}

/** The most statements in flight. The second is for when one takes long. */
const maxInFlight = 2
/** Milliseconds that the next statement waits for that in flight: what many ask at once costs least. */
const lingerMs = 10
/** The most conversations in one statement. */
const batchMax = 1000

/** A function that forbids scans: a plan made while the table was small would scan it once it is large. */
export const versionsStatement = `SELECT n, version, is_erased AS "isErased"
  FROM turnlog_versions_v1($1::text[], $2::text[]::uuid[])`

export type VersionRow = Current & { n: number }

type Named = { readonly tenant: string; readonly id: string }

/** Each has statements of its own: what one asks does not wait for what another asks. */
export function createVersions(database: Database): Versions {
  const batcher = new Batcher<Named, Current | undefined>({
    maxInFlight,
    lingerMs,
    batchMax,
    nameOf: ({ tenant, id }) => conversationName(tenant, id),
    async ask(named) {
      const params = [named.map(({ tenant }) => tenant), named.map(({ id }) => id)]
      const rows = await ask<VersionRow>(database, 'read', { text: versionsStatement, params })
      const found: (Current | undefined)[] = named.map(() => undefined)
      for (const row of rows) found[row.n - 1] = row
      return found
    },
  })
  return { current: (tenant, id) => batcher.ask({ tenant, id }) }
}
