import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDatabase } from '../../adapters/open.ts'

export const home = mkdtempSync(join(tmpdir(), 'turnlog-test-'))

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
