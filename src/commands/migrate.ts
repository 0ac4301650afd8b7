/**
 * The command `turnlog migrate` brings the database schema up to date without starting the service.
 */
import type { Config } from '../config.ts'
import { migrateDatabase } from '../maintenance.ts'
import { openLog } from './log.ts'

/** Resolves with one line that says what was done. */
export async function migrate(config: Config): Promise<string> {
  return `${await migrateDatabase(config, openLog(config))}\n`
}
