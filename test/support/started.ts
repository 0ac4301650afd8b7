/**
 * Databases that are migrated as at the start of the service, with timeouts short enough for a
 * test.
 */
import { openDatabase } from '../../adapters/open.ts'
import { defaults } from './database-options.ts'

/** Brings the database at `url` up to date and closes it. */
export const migrated = async (url: string) => {
  await using database = await openDatabase({ ...defaults, url })
  await database.migrate()
}
