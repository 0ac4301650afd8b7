/**
 * Tests of adoption: a database of the seven migrations before the first release is brought to
 * today's two.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { catalogFile, readCatalog } from '../../../adapters/database/catalog.ts'
import { readMigrations } from '../../../adapters/database/migration-state.ts'
import { defaultMigrationsFolder } from '../../../adapters/database/migrations.ts'
import type { OnDatabaseEvent } from '../../../adapters/database/startable.ts'
import { readSchema } from '../../../adapters/open.ts'
import { Decoder } from '../../../src/conversation/wire/decode.ts'
import { localPrincipal as me } from '../../../src/conversation/wire/principal.ts'
import { type Database, StartRefusal } from '../../../src/ports/database.ts'
import { checkOutOld, fillOld, makeOld, recordedBody } from '../../support/database/old-database.ts'
import { freshPglite, openPostgres } from '../../support/servers/databases.ts'
import { testDatabaseUrl } from '../../support/servers/postgres.ts'
import { openStore, refusal } from '../../support/store.ts'

const migrationCount = readMigrations(defaultMigrationsFolder).length

const decode = new Decoder({
  partsMax: 64,
  traceBytesMax: 65536,
  metadataBytesMax: 16384,
  jsonDepthMax: 32,
  urlsMax: 64,
  aheadSecondsMax: 300,
})

const run = async <Row extends object>(database: Database, text: string): Promise<Row[]> =>
  await database.query<Row>({ text, params: [] })

/** The sentence with which a migration is refused. */
async function refused(database: Database): Promise<string> {
  const thrown = await database.migrate().then(
    () => undefined,
    (error: unknown) => error,
  )
  if (!(thrown instanceof StartRefusal)) throw new Error(`Not refused: ${String(thrown)}`)
  return thrown.message
}

/** The facts that a migration may change: the catalog, and both lists of migrations. */
async function stateOf(database: Database) {
  const tables = Object.keys(
    await Bun.file(catalogFile(defaultMigrationsFolder, '0008_functions')).json(),
  )
    .filter((key) => key.startsWith('table '))
    .map((key) => key.slice('table '.length))
  return {
    catalog: await readCatalog((text) => run(database, text), tables),
    ids: await run(database, 'select * from turnlog_migrations order by id'),
    times: await run(database, 'select * from drizzle.__drizzle_migrations order by id'),
  }
}

/** A change by hand, the statements that undo it, and the fault that the refusal names. */
const drifts: Record<string, { change: string[]; undo: string[]; named: RegExp }> = {
  'a row of turnlog_migrations is missing': {
    change: ['delete from turnlog_migrations where id = 3'],
    undo: ["insert into turnlog_migrations values (3, 'voice', 1)"],
    named: /\(missing: 3\): export it with the commit/,
  },
  "a row of drizzle's migrator is missing": {
    change: ['delete from drizzle.__drizzle_migrations where created_at = 1795787819875'],
    undo: [
      `insert into drizzle.__drizzle_migrations (id, hash, created_at)
      select 7, 'x', 1795787819875`,
    ],
    named: /\(missing: 1795787819875\): export it/,
  },
  'turnlog_migrations has an unknown row': {
    change: ["insert into turnlog_migrations values (5, 'mine', 1)"],
    undo: ['delete from turnlog_migrations where id = 5'],
    named: /\(unknown: 5\): export it/,
  },
  'a column has another type': {
    change: ['alter table conversations alter column title type varchar(80)'],
    undo: ['alter table conversations alter column title type text'],
    named:
      /not as expected: column conversations\.title is "character varying\(80\)" instead of "text"\. Undo these changes, or export it/,
  },
  'an index is missing': {
    change: ['drop index segments_by_creation'],
    undo: ['create index segments_by_creation on segments (conversation_id, created_at, id)'],
    named: /index segments_by_creation is missing/,
  },
  'a function returns another type': {
    change: [
      'alter function turnlog_begin_v1 rename to mine',
      "create function turnlog_begin_v1(p_lock_timeout_ms integer) returns int language sql as 'select 1'",
    ],
    undo: ['drop function turnlog_begin_v1', 'alter function mine rename to turnlog_begin_v1'],
    named: /function turnlog_begin_v1 cannot be replaced: .*SQLSTATE 42P13/,
  },
  'a function is unknown': {
    change: ["create function turnlog_mine() returns int language sql as 'select 1'"],
    undo: ['drop function turnlog_mine'],
    named: /function turnlog_mine\(\) is unknown/,
  },
}

const kinds = {
  Postgres: async (onEvent: OnDatabaseEvent) => {
    const url = await testDatabaseUrl()
    const another = () => openPostgres(url, onEvent)
    return { database: await another(), another }
  },
  PGlite: async (onEvent: OnDatabaseEvent) => ({
    database: await freshPglite(onEvent),
    another: undefined,
  }),
}

for (const [kind, openFresh] of Object.entries(kinds)) {
  describe(`an old database on ${kind}`, () => {
    let opened: Awaited<ReturnType<typeof openFresh>>
    let database: Database
    const migrated: string[] = []
    beforeAll(async () => {
      opened = await openFresh(({ type, message }) => {
        if (type === 'migrated') migrated.push(message)
      })
      database = opened.database
      await makeOld(database)
    }, 120_000)
    afterAll(async () => {
      await database[Symbol.asyncDispose]()
    })

    for (const [fault, { change, undo, named }] of Object.entries(drifts))
      test(`an old database is refused and left unchanged if ${fault}`, async () => {
        for (const text of change) await run(database, text)
        const before = await stateOf(database)
        expect(await refused(database)).toMatch(named)
        expect(await stateOf(database)).toEqual(before)
        for (const text of undo) await run(database, text)
      }, 30_000)

    test('an old database is adopted with its content, and accepts further writes', async () => {
      const { id, segment } = await fillOld(database)
      // A function that was changed by hand is replaced like the others.
      await run(
        database,
        `create or replace function turnlog_join_audio_v1(p_id uuid, p_key text, p_parts text[], p_urls text[])
          returns text[] language sql as 'select p_urls'`,
      )
      expect(await readSchema(database)).toEqual({ state: 'old' })
      const others = opened.another === undefined ? [] : [await opened.another()]
      await Promise.all([database, ...others].map((node) => node.migrate()))
      for (const other of others) await other[Symbol.asyncDispose]()
      expect(await readSchema(database)).toEqual({ state: 'current', drift: [] })
      expect(migrated).toEqual([
        expect.stringMatching(/^The schema of .+ was adopted: its seven migrations became two$/),
      ])
      expect((await stateOf(database)).ids).toHaveLength(4 + migrationCount)
      expect((await stateOf(database)).times).toHaveLength(7 + migrationCount)

      const { store, reader } = await openStore(database)
      const contents = async () =>
        (await reader.history(me, id, { last: 20 })).messages.map(({ content }) => content)
      const oldContents = ['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight']
      expect(await contents()).toEqual(oldContents)
      const again = await store.recordTurn(me, id, decode.turn(recordedBody), 'k1')
      expect(again).toMatchObject({ replayed: true, version: 2 })
      const other = decode.turn({ user: { text: 'other' }, assistant: { responses: ['x'] } })
      expect(await refusal(store.recordTurn(me, id, other, 'k1'))).toBe('idempotency-conflict')
      await store.completeTurn(me, id, decode.halves({ user: { text: 'nine' } }), 'seat')
      const early = decode.turn({ assistant: { responses: ['early'] } })
      const joined = await store.recordTurn(me, id, early, 'audio')
      expect(joined?.messages[0]?.ttsAudioUrls).toEqual(['https://a/early'])
      expect(await contents()).toEqual([...oldContents, 'nine', 'early'])
      expect(await store.createSegment(me, id, { id: segment })).toMatchObject({
        created: false,
        segment: { agentResponse: 'six' },
      })
      const { voiceSessions } = await store.voiceSessions.list(me, id, { limit: 10 })
      expect(voiceSessions.map((session) => session.id).sort()).toEqual(['call', 'spoken'])
      expect((await store.eraseConversation(me, id)).messages).toBe(10)
      await store[Symbol.asyncDispose]()
    }, 60_000)
  })
}

describe('the code before the first release', () => {
  const directory = mkdtempSync(join(tmpdir(), 'turnlog-old-code-'))
  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  test('code from before the first release refuses to start on a database that this release migrated', async () => {
    const url = await testDatabaseUrl()
    await using database = await openPostgres(url)
    await database.migrate()
    // That code refuses a database if a migration needs newer code than 1. Its sources are in the
    // history.
    const [{ oldest } = { oldest: 0 }] = await run<{ oldest: number }>(
      database,
      'select max(oldest_code) as oldest from turnlog_migrations',
    )
    expect(oldest).toBeGreaterThan(1)
    if (!checkOutOld(directory)) return
    const child = Bun.spawn([process.execPath, '--no-env-file', 'src/main.ts', 'serve'], {
      cwd: directory,
      env: { PATH: process.env.PATH, DATABASE_URL: url, PORT: '0' },
      stdout: 'pipe',
      stderr: 'pipe',
    })
    const text =
      (await new Response(child.stdout).text()) + (await new Response(child.stderr).text())
    expect(text).toContain('A newer Turnlog has migrated Postgres at')
    expect(await child.exited).not.toBe(0)
  }, 60_000)
})
