/**
 * Fresh databases for tests. There is a factory for each kind, and each call makes an empty
 * database.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { OnDatabaseEvent } from '../../../adapters/database/startable.ts'
import { openDatabase } from '../../../adapters/open.ts'
import type { Database } from '../../../src/ports/database.ts'
import { testDatabaseUrl } from './postgres.ts'

const options = {
  directory: '.turnlog',
  connectionsMax: 8,
  prepare: true,
  deadlineMs: 5000,
  connectTimeoutMs: 2000,
  startWaitSeconds: 30,
  allowUnsafe: false,
}

export async function freshPostgres(change: Partial<typeof options> = {}): Promise<Database> {
  return openDatabase({ ...options, ...change, url: await testDatabaseUrl() })
}

/** Opens the connections of another node to the same database. */
export const openPostgres = (url: string, onEvent: OnDatabaseEvent = () => {}): Promise<Database> =>
  openDatabase({ ...options, url, onEvent })

/** Opens an embedded database in a new directory, which is removed with it. */
export async function freshPglite(onEvent: OnDatabaseEvent = () => {}): Promise<Database> {
  const directory = mkdtempSync(join(tmpdir(), 'turnlog-test-'))
  const database = await openDatabase({ ...options, directory, deadlineMs: 30_000, onEvent })
  return {
    ...database,
    async [Symbol.asyncDispose]() {
      await database[Symbol.asyncDispose]()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
