/** `turnlog migrate`: brings the tables up to date, and starts nothing. */
import type { Config } from '../config.ts'
import { migrateDatabase } from '../maintenance.ts'
import { openLog } from './log.ts'

/** What was done, in one line. */
export async function migrate(config: Config): Promise<string> {
  return `${await migrateDatabase(config, openLog(config))}\n`
}
