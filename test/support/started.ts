/**
 * Opens and migrates a database as a start does, with timeouts that are short enough for a test.
 */
import { openDatabase } from '../../adapters/open.ts'
import { defaults } from './database-options.ts'

export const migrated = async (url: string) => {
  await using database = await openDatabase({ ...defaults, url })
  await database.migrate()
}
