/** A database as a start opens it, with bounds that a test can wait for. */
import { openDatabase } from '../../adapters/open.ts'
import { defaults } from './database-options.ts'

export const migrated = async (url: string) => {
  await using database = await openDatabase({ ...defaults, url })
  await database.migrate()
}
