/**
 * The command `turnlog migrate` brings the database schema up to date without starting the service.
 */
import type { ExaminedConfig } from '../config.ts'
import { migrateDatabase } from '../maintenance.ts'
import { openLog } from './log.ts'

/** Resolves with one line that reports the result. */
export async function migrate({
  config,
  nearMisses,
}: Pick<ExaminedConfig, 'config' | 'nearMisses'>): Promise<string> {
  const events = openLog(config)
  for (const nearMiss of nearMisses) events.notice('warn', nearMiss)
  return `${await migrateDatabase(config, events)}\n`
}
