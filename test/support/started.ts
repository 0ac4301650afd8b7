/** A database as a start opens it, with bounds that a test can wait for. */
import { openDatabase } from '../../adapters/open.ts'

export const defaults = {
  directory: '/nowhere',
  connectionsMax: 4,
  prepare: true,
  deadlineMs: 5000,
  connectTimeoutMs: 2000,
  startWaitSeconds: 10,
  allowUnsafe: false,
}

export const migrated = async (url: string) => {
  await using database = await openDatabase({ ...defaults, url })
  await database.migrate()
}
