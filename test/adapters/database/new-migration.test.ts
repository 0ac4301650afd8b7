/** Tests of `bun run db:new`, in a copy of drizzle/. */
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

/** Runs `bun run db:new` in the copy, without a terminal. */
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

/** The fault in the copy, the words of the command, and the message of the refusal. */
const refusals: Record<string, { change?: () => void; words?: string[]; message: RegExp }> = {
  'its name cannot be a file name': {
    words: ['No Name'],
    message: /one name of lower-case letters/,
  },
  'it has two names': { words: ['tint', 'shade'], message: /one name of lower-case letters/ },
  'an earlier migration has its name': {
    words: [last.tag.slice(5)],
    message: /already has that name/,
  },
  'it would overwrite a file': {
    change: () => writeFileSync(join(folder, `${nextTag}.sql`), 'mine'),
    message: /every file of SQL is in the journal/,
  },
  'the times of the journal do not rise': {
    change: () => replaceIn('meta/_journal.json', String(last.when), '1'),
    message: /rule that \d{4}_\w+ is later than the one before/,
  },
  'the ids of the journal have a gap': {
    change: () => replaceIn('meta/_journal.json', `"idx": ${last.id}`, `"idx": ${nextId}`),
    message: /rule that \d{4}_\w+ has the id \d+/,
  },
  'the journal is not JSON': {
    change: () => writeFileSync(join(folder, 'meta/_journal.json'), '<<<<<<<'),
    message: /_journal\.json cannot be read/,
  },
  'a file defines a function of another name': {
    change: () =>
      renameSync(
        join(folder, 'functions/turnlog_open_v1.sql'),
        join(folder, 'functions/turnlog_open_v9.sql'),
      ),
    message: /turnlog_open_v9\.sql defines turnlog_open_v1/,
  },
  'it drops a function that another one calls': {
    change: () => rmSync(join(folder, 'functions/turnlog_begin_v1.sql')),
    message:
      /turnlog_begin_v1\.sql is missing, and drizzle\/functions\/turnlog_\w+\.sql still calls/,
  },
  'it renames a column without a terminal': {
    change: () => replaceIn('schema.ts', "title: text('title'),", "title: text('heading'),"),
    message: /run this on a terminal/,
  },
  'it changes nothing': { message: /Nothing changed; --empty makes an empty migration/ },
}

describe('bun run db:new', () => {
  beforeEach(restore)

  test('a new migration changes the table, replaces the function and drops the removed one', async () => {
    const url = await testDatabaseUrl()
    {
      await using before = await openPostgres(url)
      await before.migrate()
    }
    replaceIn('schema.ts', "title: text('title'),", "title: text('title'), tint: text('tint'),")
    replaceIn('functions/turnlog_patch_v1.sql', 'BEGIN\n', 'BEGIN\n  -- Changed.\n')
    rmSync(join(folder, 'functions/turnlog_versions_v1.sql'))
    // A clock that was set back must not make a migration that drizzle skips.
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

  test('--empty makes a migration for changes of data', async () => {
    expect(await make('tint', '--empty')).toMatchObject({ code: 0, err: '' })
    expect(brokenRules(folder)).toEqual([])
    expect(readFileSync(join(folder, `${nextTag}.sql`), 'utf8')).toBe(
      `INSERT INTO turnlog_migrations (id, name, oldest_code) VALUES (${nextId}, 'tint', ${oldestCode});\n`,
    )
    expect(readCatalogFile(folder, nextTag)).toEqual(readCatalogFile(folder, last.tag))
  }, 120_000)

  for (const [fault, { change, words = ['tint'], message }] of Object.entries(refusals))
    test(`a new migration is refused in one line, and writes no file, if ${fault}`, async () => {
      change?.()
      const before = contents()
      const { code, err } = await make(...words)
      expect(code).toBe(1)
      expect(err).toMatch(message)
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

  /** The changes of the sources in the copy. They are rolled back. */
  const changes = async () => {
    await scratch.ask('begin')
    try {
      return await changeFunctions(scratch, readFunctionSources(folder))
    } finally {
      await scratch.ask('rollback')
    }
  }

  /** The message with which the sources are refused. */
  const refused = async () =>
    await changes().then(
      () => 'nothing',
      (thrown: Error) => thrown.message,
    )

  test('a new migration from unchanged SQL files changes no function', async () => {
    expect(await changes()).toEqual({ changed: [], dropped: [] })
  })

  test("a refused source is named with Postgres' answer, and with the line if Postgres names one", async () => {
    replaceIn('functions/turnlog_patch_v1.sql', 'LANGUAGE plpgsql', 'LANGUAGE plpgsq')
    expect(await refused()).toBe(
      'Postgres refuses drizzle/functions/turnlog_patch_v1.sql: language "plpgsq" does not exist.',
    )
    restore()
    const file = 'functions/turnlog_record_turns_v1.sql'
    replaceIn(file, 'WHERE l.line', 'WHERE WHERE l.line')
    const line = readFileSync(join(folder, file), 'utf8')
      .split('WHERE WHERE')[0]
      ?.split('\n').length
    expect(await refused()).toBe(
      `Postgres refuses drizzle/${file}:${line}: syntax error at or near "WHERE".`,
    )
  })

  test('a migration that changes the arguments of a function and not its name is refused', async () => {
    replaceIn('functions/turnlog_versions_v1.sql', 'p_ids uuid[])', 'p_ids uuid[], p_max integer)')
    expect(await refused()).toMatch(/needs a new name, turnlog_versions_v2,/)
  })

  test('a function that returns other columns is refused under its old name', async () => {
    replaceIn('functions/turnlog_versions_v1.sql', 'is_erased boolean)', 'is_erased text)')
    expect(await refused()).toMatch(
      /cannot change return type .* needs a new name, turnlog_versions_v2,/,
    )
  })

  test('the removal of a function is refused if a trigger depends on it', async () => {
    rmSync(join(folder, 'functions/turnlog_keep_conversation.sql'))
    expect(await refused()).toMatch(
      /turnlog_keep_conversation\.sql is missing, .*trigger conversations_keep on table conversations depends/,
    )
  })

  test('a new function can take over the trigger of a removed function', async () => {
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
