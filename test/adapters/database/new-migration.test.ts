/** `bun run db:new`, in a copy of drizzle/. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readCatalogFile, readDifferences } from '../../../adapters/database/catalog.ts'
import type { StartableDatabase } from '../../../adapters/database/startable.ts'
import { openDatabase } from '../../../adapters/open.ts'
import { brokenRules } from '../../support/database/migration-rules.ts'
import { openPostgres } from '../../support/servers/databases.ts'
import { testDatabaseUrl } from '../../support/servers/postgres.ts'

const root = join(import.meta.dir, '../../..')
const copy = mkdtempSync(join(tmpdir(), 'turnlog-new-migration-'))
const folder = join(copy, 'drizzle')
afterAll(() => rmSync(copy, { recursive: true, force: true }))

beforeAll(() => {
  cpSync(join(root, 'drizzle'), folder, { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
})

const replaceIn = (file: string, from: string, to: string) => {
  const path = join(folder, file)
  const text = readFileSync(path, 'utf8')
  if (!text.includes(from)) throw new Error(`${file} has no ${from}`)
  writeFileSync(path, text.replace(from, to))
}

async function make(...words: string[]): Promise<{ code: number; err: string }> {
  const script = join(root, 'drizzle/scripts/new-migration.ts')
  const child = Bun.spawn([process.execPath, script, ...words], {
    cwd: copy,
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'pipe',
  })
  const err = await new Response(child.stderr).text()
  return { code: await child.exited, err }
}

const openCopy = async (url: string): Promise<StartableDatabase> =>
  await openDatabase({
    url,
    migrationsFolder: folder,
    directory: '/nowhere',
    connectionsMax: 2,
    prepare: true,
    deadlineMs: 20_000,
    connectTimeoutMs: 20_000,
    startWaitSeconds: 60,
    allowUnsafe: false,
  })

describe('a new migration', () => {
  test('has every piece, of a changed table, a changed function and one that is gone', async () => {
    const url = await testDatabaseUrl()
    {
      await using before = await openPostgres(url)
      await before.migrate()
    }
    replaceIn('schema.ts', "title: text('title'),", "title: text('title'), tint: text('tint'),")
    replaceIn('functions/turnlog_patch_v1.sql', 'BEGIN\n', 'BEGIN\n  -- Changed.\n')
    rmSync(join(folder, 'functions/turnlog_versions_v1.sql'))
    // A clock that goes back must not make a migration that is skipped.
    const latest = 4e12
    replaceIn('meta/_journal.json', '1795833600001', String(latest))
    expect(await make('tint')).toMatchObject({ code: 0 })
    expect(brokenRules(folder)).toEqual([])
    replaceIn('meta/_journal.json', String(latest), '1795833600001')
    const text = readFileSync(join(folder, '0009_tint.sql'), 'utf8')
    expect(text.split('--> statement-breakpoint').map((each) => each.trim())).toEqual([
      'ALTER TABLE "conversations" ADD COLUMN "tint" text;',
      'DROP FUNCTION turnlog_versions_v1(text[], uuid[]);',
      readFileSync(join(folder, 'functions/turnlog_patch_v1.sql'), 'utf8').trim(),
      "INSERT INTO turnlog_migrations (id, name, oldest_code) VALUES (9, 'tint', 2);",
    ])

    await using after = await openCopy(url)
    await after.migrate()
    await after.verify()
    const ask = (question: string) => after.query<object>({ text: question, params: [] })
    expect(await readDifferences(ask, readCatalogFile(folder, '0009_tint'))).toEqual([])
    expect(await ask('select id from turnlog_migrations order by id desc limit 1')).toEqual([
      { id: 9 },
    ])
  }, 300_000)

  test('needs a name that a file may have', async () => {
    const { code, err } = await make('No Name')
    expect(code).not.toBe(0)
    expect(err).toContain('bun run db:new <name>')
  }, 60_000)
})
