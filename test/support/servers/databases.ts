/** Fresh databases for tests, one factory a kind: each call answers an empty one. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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

/** Another node's connections to the same database. */
export const openPostgres = (url: string): Promise<Database> => openDatabase({ ...options, url })

/** Its directory goes with it. */
export async function freshPglite(): Promise<Database> {
  const directory = mkdtempSync(join(tmpdir(), 'turnlog-test-'))
  const database = await openDatabase({ ...options, directory, deadlineMs: 30_000 })
  return {
    ...database,
    async [Symbol.asyncDispose]() {
      await database[Symbol.asyncDispose]()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
