/**
 * Versions reads the current versions of conversations. Requests that arrive close to each other
 * share one statement.
 */
import { Batcher } from '../../mechanics/batcher.ts'
import type { Database } from '../../ports/database.ts'
import { ask } from '../sql/database-problems.ts'
import { conversationName } from '../wire/kv-keys.ts'

export type CurrentVersion = {
  readonly version: number
  readonly isErased: boolean
}

export type Versions = {
  /**
   * Returns the version as of a moment after the call, or undefined if the conversation does not
   * exist. Fails with a `database-` code.
   */
  current(tenant: string, id: string): Promise<CurrentVersion | undefined>
}

/** The maximum number of statements in flight. The second is sent if the first takes long. */
const maxInFlight = 2
/**
 * Milliseconds that a statement must be in flight before a second is sent. Waiting makes batches
 * larger, and so cheaper.
 */
const lingerMs = 10
/** The maximum number of conversations in one statement. */
const batchMax = 1000

/**
 * The SQL function turns off sequential scans, because a cached plan from the time when the table
 * was small would scan the large table, too.
 */
export const versionsStatement = `SELECT n, version, is_erased AS "isErased"
  FROM turnlog_versions_v1($1::text[], $2::text[]::uuid[])`

/** `n` is the conversation's position in the statement's arrays, from 1. */
export type VersionRow = CurrentVersion & { n: number }

type ConversationKey = { readonly tenant: string; readonly id: string }

/**
 * Makes a Versions. Each has its own batches, so callers that use different ones do not wait for
 * each other.
 */
export function createVersions(database: Database): Versions {
  const batcher = new Batcher<ConversationKey, CurrentVersion | undefined>({
    maxInFlight,
    lingerMs,
    batchMax,
    nameOf: ({ tenant, id }) => conversationName(tenant, id),
    async ask(conversations) {
      const params = [conversations.map(({ tenant }) => tenant), conversations.map(({ id }) => id)]
      const rows = await ask<VersionRow>(database, 'read', { text: versionsStatement, params })
      const found: (CurrentVersion | undefined)[] = conversations.map(() => undefined)
      for (const row of rows) found[row.n - 1] = row
      return found
    },
  })
  return { current: (tenant, id) => batcher.ask({ tenant, id }) }
}
