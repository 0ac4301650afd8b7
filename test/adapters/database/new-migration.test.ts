/** `bun run db:new`, in a copy of drizzle/. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readCatalogFile, readDifferences } from '../../../adapters/database/catalog.ts'
import { readMigrations, recordOf } from '../../../adapters/database/migration-state.ts'
import type { StartableDatabase } from '../../../adapters/database/startable.ts'
import { openDatabase } from '../../../adapters/open.ts'
import { readFunctionSources } from '../../../drizzle/function-sources.ts'
import { changeFunctions } from '../../../drizzle/scripts/function-changes.ts'
import { brokenRules } from '../../../drizzle/scripts/migration-rules.ts'
import { openScratch, type ScratchDatabase } from '../../../drizzle/scripts/scratch-database.ts'
import { openPostgres } from '../../support/servers/databases.ts'
import { testDatabaseUrl } from '../../support/servers/postgres.ts'

const root = join(import.meta.dir, '../../..')
const copy = mkdtempSync(join(tmpdir(), 'turnlog-new-migration-'))
const folder = join(copy, 'drizzle')
afterAll(() => rmSync(copy, { recursive: true, force: true }))

const restore = () => {
  rmSync(folder, { recursive: true, force: true })
  cpSync(join(root, 'drizzle'), folder, { recursive: true })
}

beforeAll(() => {
  restore()
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
})

const migrations = readMigrations(join(root, 'drizzle'))
const last = migrations.at(-1)
if (last === undefined) throw new Error('There are no migrations')
const nextId = last.id + 1
const nextTag = `${String(nextId).padStart(4, '0')}_tint`
const oldestCode = /(\d+)\);\s*$/.exec(recordOf(last) ?? '')?.[1]

/** The text of each file in the copy. */
const contents = () =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.\w+$/.test(path))
    .sort()
    .map((path) => [path, readFileSync(join(folder, path), 'utf8')])

const replaceIn = (file: string, from: string, to: string) => {
  const path = join(folder, file)
  const text = readFileSync(path, 'utf8')
  if (!text.includes(from)) throw new Error(`${file} has no ${from}`)
  writeFileSync(path, text.replace(from, to))
}

/** Runs it without a terminal. */
async function make(...words: string[]): Promise<{ code: number; out: string; err: string }> {
  const script = join(root, 'drizzle/scripts/new-migration.ts')
  const child = Bun.spawn([process.execPath, script, ...words], {
    cwd: copy,
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ])
  return { code: await child.exited, out, err }
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

/** What is wrong in the copy, the words of the call, and what the refusal says. */
const refusals: Record<string, { change?: () => void; words?: string[]; says: RegExp }> = {
  'has a name that no file may have': { words: ['No Name'], says: /one name of small letters/ },
  'has two names': { words: ['tint', 'shade'], says: /one name of small letters/ },
  'has a name that was used before': {
    words: [last.tag.slice(5)],
    says: /has that name already/,
  },
  'would overwrite a file': {
    change: () => writeFileSync(join(folder, `${nextTag}.sql`), 'mine'),
    says: /every file of SQL is in the journal/,
  },
  'follows a journal whose times do not rise': {
    change: () => replaceIn('meta/_journal.json', String(last.when), '1'),
    says: /does not: \d{4}_\w+ is later than the one before/,
  },
  'follows a journal whose ids have a gap': {
    change: () => replaceIn('meta/_journal.json', `"idx": ${last.id}`, `"idx": ${nextId}`),
    says: /does not: \d{4}_\w+ has the id \d+/,
  },
  'follows a journal that is no JSON': {
    change: () => writeFileSync(join(folder, 'meta/_journal.json'), '<<<<<<<'),
    says: /_journal\.json cannot be read/,
  },
  'has a function in a file of another name': {
    change: () =>
      renameSync(
        join(folder, 'functions/turnlog_open_v1.sql'),
        join(folder, 'functions/turnlog_open_v9.sql'),
      ),
    says: /turnlog_open_v9\.sql defines turnlog_open_v1/,
  },
  'drops a function that another one calls': {
    change: () => rmSync(join(folder, 'functions/turnlog_begin_v1.sql')),
    says: /turnlog_begin_v1\.sql is gone, and drizzle\/functions\/turnlog_\w+\.sql still calls/,
  },
  'renames a column without a terminal': {
    change: () => replaceIn('schema.ts', "title: text('title'),", "title: text('heading'),"),
    says: /run this on a terminal/,
  },
  'changes nothing': { says: /Nothing changed; --empty makes an empty one for data/ },
}

describe('a new migration', () => {
  beforeEach(restore)

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
    replaceIn('meta/_journal.json', String(last.when), String(latest))
    const { code, out, err } = await make('tint')
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toContain('It drops turnlog_versions_v1(text[], uuid[]).\n')
    expect(out).toContain('raise oldest_code')
    expect(brokenRules(folder)).toEqual([])
    replaceIn('meta/_journal.json', String(latest), String(last.when))
    const text = readFileSync(join(folder, `${nextTag}.sql`), 'utf8')
    expect(text.split('--> statement-breakpoint').map((each) => each.trim())).toEqual([
      'ALTER TABLE "conversations" ADD COLUMN "tint" text;',
      readFileSync(join(folder, 'functions/turnlog_patch_v1.sql'), 'utf8').trim(),
      'DROP FUNCTION turnlog_versions_v1(text[], uuid[]);',
      `INSERT INTO turnlog_migrations (id, name, oldest_code) VALUES (${nextId}, 'tint', ${oldestCode});`,
    ])

    await using after = await openCopy(url)
    await after.migrate()
    await after.verify()
    const ask = (question: string) => after.query<object>({ text: question, params: [] })
    expect(await readDifferences(ask, readCatalogFile(folder, nextTag))).toEqual([])
    expect(await ask('select id from turnlog_migrations order by id desc limit 1')).toEqual([
      { id: nextId },
    ])
  }, 300_000)

  test('of data alone is made by --empty', async () => {
    expect(await make('tint', '--empty')).toMatchObject({ code: 0, err: '' })
    expect(brokenRules(folder)).toEqual([])
    expect(readFileSync(join(folder, `${nextTag}.sql`), 'utf8')).toBe(
      `INSERT INTO turnlog_migrations (id, name, oldest_code) VALUES (${nextId}, 'tint', ${oldestCode});\n`,
    )
    expect(readCatalogFile(folder, nextTag)).toEqual(readCatalogFile(folder, last.tag))
  }, 120_000)

  for (const [what, { change, words = ['tint'], says }] of Object.entries(refusals))
    test(`is refused in one line, and leaves nothing, where it ${what}`, async () => {
      change?.()
      const before = contents()
      const { code, err } = await make(...words)
      expect(code).toBe(1)
      expect(err).toMatch(says)
      expect(err.trimEnd().split('\n')).toHaveLength(1)
      expect(contents()).toEqual(before)
    }, 120_000)
})

describe('changed functions', () => {
  let scratch: ScratchDatabase
  beforeAll(async () => {
    restore()
    scratch = await openScratch(folder)
  }, 120_000)
  afterAll(async () => {
    await scratch[Symbol.asyncDispose]()
  })
  beforeEach(restore)

  /** What the sources in the copy change; undone afterwards. */
  const changes = async () => {
    await scratch.ask('begin')
    try {
      return await changeFunctions(scratch, readFunctionSources(folder))
    } finally {
      await scratch.ask('rollback')
    }
  }

  const refused = async () =>
    await changes().then(
      () => 'nothing',
      (thrown: Error) => thrown.message,
    )

  test('are none where no source was changed', async () => {
    expect(await changes()).toEqual({ changed: [], dropped: [] })
  })

  test('are refused by what Postgres says of a source', async () => {
    replaceIn('functions/turnlog_patch_v1.sql', 'LANGUAGE plpgsql', 'LANGUAGE plpgsq')
    expect(await refused()).toBe(
      'Postgres refuses drizzle/functions/turnlog_patch_v1.sql: language "plpgsq" does not exist.',
    )
  })

  test('are refused under the same name where the arguments change', async () => {
    replaceIn('functions/turnlog_versions_v1.sql', 'p_ids uuid[])', 'p_ids uuid[], p_max integer)')
    expect(await refused()).toMatch(/needs a new name, turnlog_versions_v2,/)
  })

  test('are refused under the same name where the returned columns change', async () => {
    replaceIn('functions/turnlog_versions_v1.sql', 'is_erased boolean)', 'is_erased text)')
    expect(await refused()).toMatch(
      /cannot change return type .* needs a new name, turnlog_versions_v2,/,
    )
  })

  test('are refused where a trigger depends on one that is gone', async () => {
    rmSync(join(folder, 'functions/turnlog_keep_conversation.sql'))
    expect(await refused()).toMatch(
      /turnlog_keep_conversation\.sql is gone, .*trigger conversations_keep on table conversations depends/,
    )
  })

  test('may take a trigger over from a function that is gone', async () => {
    const old = 'functions/turnlog_keep_conversation.sql'
    const text = readFileSync(join(folder, old), 'utf8')
    rmSync(join(folder, old))
    writeFileSync(
      join(folder, 'functions/turnlog_keep_conversation_v2.sql'),
      text.replaceAll('turnlog_keep_conversation', 'turnlog_keep_conversation_v2'),
    )
    expect(await changes()).toMatchObject({ dropped: ['turnlog_keep_conversation()'] })
  })
})
