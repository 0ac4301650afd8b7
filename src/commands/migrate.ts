/** `turnlog migrate`: brings the tables up to date, and starts nothing. */
import { migrateDatabase } from '../app.ts'
import type { Config } from '../config.ts'
import { createEvents } from '../events.ts'

/** What was done, in one line. */
export async function migrate(config: Config): Promise<string> {
  return `${await migrateDatabase(config, createEvents())}\n`
}
