/** Versions reads the versions of many conversations with one statement, one narrow row each. */
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

/** The most statements in flight. The second is sent if the first takes long. */
const maxInFlight = 2
/**
 * Milliseconds that a statement is in flight before a second is sent: larger batches cost least.
 */
const lingerMs = 10
/** The most conversations in one statement. */
const batchMax = 1000

/**
 * The function forbids scans: a plan made while the table was small would still scan the large one.
 */
export const versionsStatement = `SELECT n, version, is_erased AS "isErased"
  FROM turnlog_versions_v1($1::text[], $2::text[]::uuid[])`

export type VersionRow = CurrentVersion & { n: number }

type ConversationKey = { readonly tenant: string; readonly id: string }

/** Makes a Versions with batches of its own: it does not wait for the statements of another. */
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
