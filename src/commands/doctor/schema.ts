/**
 * Checks of the schema: whether the tables and functions exist, fit this release, and are
 * unchanged.
 */

import type { Config } from '../../config.ts'
import type { Database } from '../../ports/database.ts'
import type { Inspection } from '../../resources.ts'
import { type Check, checksOf } from './report.ts'

const { ok, note, wrong } = checksOf('database')

/**
 * Checks which migrations have run. If all have, checks that the schema is still as they made it.
 */
export async function schemaChecks(
  database: Database,
  config: Config,
  inspection: Inspection,
  mayCreate: boolean,
): Promise<Check[]> {
  const { state, drift, obstacle } = await inspection.schema(database)
  if (state === 'current') return [ok('schema', 'up to date'), driftCheck(drift)]
  if (state === 'newer')
    return [
      wrong(
        'schema',
        'a newer release has changed it, and this release no longer works with it',
        'Run the newer release.',
      ),
    ]

  if (obstacle !== undefined) return [wrong('schema', obstacle.finding, `${obstacle.advice}.`)]
  const finding = state === 'missing' ? 'does not exist yet' : 'older than this release'
  return [behindCheck(finding, config, mayCreate)]
}

function behindCheck(
  finding: string,
  { database: { migrateAtStart, migrateUrl } }: Config,
  mayCreate: boolean,
): Check {
  if (!migrateAtStart)
    return wrong('schema', finding, 'Run `turnlog migrate`: database.migrateAtStart is off.')
  if (!mayCreate && migrateUrl === undefined)
    return wrong(
      'schema',
      `${finding}, and this user may not create it`,
      'Grant CREATE on the database and its schema, or set MIGRATE_DATABASE_URL to a user who may.',
    )
  return note('schema', finding, 'The next start or `turnlog migrate` brings it up to date.')
}

function driftCheck(drift: readonly string[] | undefined): Check {
  if (drift === undefined)
    return note('drift', 'not checked: a newer release has added migrations of its own')
  if (drift.length === 0) return ok('drift', 'tables and functions are as the migrations made them')
  return wrong(
    'drift',
    drift.join('; '),
    'Undo the change: only migrations may change tables and functions. Their sources are in drizzle/.',
  )
}
