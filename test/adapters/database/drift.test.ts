/** Tests of drift: the differences between a database and the schema that its migrations make. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { catalogFile, readCatalog, tablesIn } from '../../../adapters/database/catalog.ts'
import { readMigrations } from '../../../adapters/database/migration-state.ts'
import { defaultMigrationsFolder } from '../../../adapters/database/migrations.ts'
import { readSchema } from '../../../adapters/open.ts'
import { readFunctionSources, statementsOf } from '../../../drizzle/function-sources.ts'
import type { Database } from '../../../src/ports/database.ts'
import { freshPglite, freshPostgres, openPostgres } from '../../support/servers/databases.ts'
import { testDatabaseUrl } from '../../support/servers/postgres.ts'

const lastTag = readMigrations(defaultMigrationsFolder).at(-1)?.tag ?? ''
const expected = await Bun.file(catalogFile(defaultMigrationsFolder, lastTag)).json()

const run = async (database: Database, ...texts: string[]) => {
  for (const text of texts) await database.query({ text, params: [] })
}

const driftOf = async (database: Database) => (await readSchema(database)).drift

/** A change by hand, the sentence of the drift, and the statement that undoes the change. */
const changes: Record<string, { change: string; drift: string; undo: string }> = {
  'a column has another type': {
    change: 'alter table segments alter column agent_response type varchar(9)',
    drift: 'column segments.agent_response is "character varying(9)" instead of "text"',
    undo: 'alter table segments alter column agent_response type text',
  },
  'a column may be null': {
    change: 'alter table segments alter column tenant drop not null',
    drift: 'column segments.tenant is "text" instead of "text not null"',
    undo: 'alter table segments alter column tenant set not null',
  },
  'a column has another default': {
    change: "alter table conversation_messages alter column state set default 'pending'",
    drift:
      'column conversation_messages.state is "text not null default \'pending\'::text" instead of "text not null default \'filled\'::text"',
    undo: "alter table conversation_messages alter column state set default 'filled'",
  },
  'a column was added': {
    change: 'alter table conversations add column mine int',
    drift: 'column conversations.mine is unknown',
    undo: 'alter table conversations drop column mine',
  },
  'an index is missing': {
    change: 'drop index segments_by_version',
    drift: 'index segments_by_version is missing',
    undo: 'create index segments_by_version on segments (conversation_id, version)',
  },
  'a constraint is missing': {
    change: 'alter table conversation_messages drop constraint messages_seq',
    drift: 'constraint conversation_messages.messages_seq is missing',
    undo: 'alter table conversation_messages add constraint messages_seq check (seq >= 1)',
  },
  'a trigger is disabled': {
    change: 'alter table conversations disable trigger conversations_keep',
    drift:
      'trigger conversations.conversations_keep is "CREATE TRIGGER conversations_keep BEFORE DELETE OR UPDATE OF id ON conversations FOR EACH ROW EXECUTE FUNCTION turnlog_keep_conversation() (disabled)" instead of "CREATE TRIGGER conversations_keep BEFORE DELETE OR UPDATE OF id ON conversations FOR EACH ROW EXECUTE FUNCTION turnlog_keep_conversation()"',
    undo: 'alter table conversations enable trigger conversations_keep',
  },
  'a table is unlogged': {
    change: 'alter table cache_erasures set unlogged',
    drift: 'table cache_erasures is "unlogged" instead of "logged"',
    undo: 'alter table cache_erasures set logged',
  },
  'a function was added': {
    change: "create function turnlog_begin_v1() returns int language sql as 'select 1'",
    drift: 'function turnlog_begin_v1() is unknown',
    undo: 'drop function turnlog_begin_v1()',
  },
}

for (const [kind, open] of Object.entries({ Postgres: freshPostgres, PGlite: freshPglite })) {
  describe(`drift on ${kind}`, () => {
    let database: Database
    beforeAll(async () => {
      database = await open()
      await database.migrate()
    }, 120_000)
    afterAll(async () => {
      await database[Symbol.asyncDispose]()
    })
    const catalog = () =>
      readCatalog((text) => database.query({ text, params: [] }), tablesIn(expected))

    test('a migrated database has the catalog of the last migration, and no drift', async () => {
      expect(await catalog()).toEqual(expected)
      expect(await driftOf(database)).toEqual([])
    })

    test('the catalog has every table of the schema', async () => {
      const rows = await database.query<{ name: string }>({
        text: "select tablename::text as name from pg_tables where schemaname = 'public' order by 1",
        params: [],
      })
      expect(rows.map(({ name }) => name)).toEqual(tablesIn(expected).sort())
    })

    test('running the source of every function again leaves the catalog unchanged', async () => {
      for (const { text } of readFunctionSources(defaultMigrationsFolder))
        await run(database, ...statementsOf(text))
      expect(await catalog()).toEqual(expected)
    })

    for (const [fault, { change, drift, undo }] of Object.entries(changes))
      test(`the drift is one sentence if ${fault}`, async () => {
        await run(database, change)
        expect(await driftOf(database)).toEqual([drift])
        await run(database, undo)
        expect(await driftOf(database)).toEqual([])
      })

    test('the drift has one sentence for each function with an added comment', async () => {
      const sources = readFunctionSources(defaultMigrationsFolder)
      const changed = sources.map(({ text }) => text.replace(/\$\$ *\n/, '$$$$\n-- By hand.\n'))
      for (const text of changed) await run(database, ...statementsOf(text))
      const drift = (await driftOf(database)) ?? []
      expect(drift.map((each) => each.replace(/\(.*\)/, '')).sort()).toEqual(
        sources.map(({ name }) => `function ${name} has another text`),
      )
      for (const { text } of sources) await run(database, ...statementsOf(text))
      expect(await driftOf(database)).toEqual([])
    })

    test('drift is not measured if a newer release has run its own migrations', async () => {
      await run(database, "insert into turnlog_migrations values (1000, 'later', 1)")
      expect(await readSchema(database)).toEqual({ state: 'current' })
      await run(database, 'delete from turnlog_migrations where id = 1000')
    })
  })
}

test('a role that may only read the table of migrations can measure the schema drift on Postgres', async () => {
  const url = await testDatabaseUrl()
  await using owner = await openPostgres(url)
  await owner.migrate()
  const role = `onlooker_${process.pid}`
  await run(
    owner,
    `create role ${role} login`,
    `grant usage on schema drizzle to ${role}`,
    `grant select on turnlog_migrations, drizzle.__drizzle_migrations to ${role}`,
    'drop index segments_by_version',
  )
  try {
    await using onlooker = await openPostgres(Object.assign(new URL(url), { username: role }).href)
    expect(await driftOf(onlooker)).toEqual(['index segments_by_version is missing'])
  } finally {
    await run(owner, `drop owned by ${role}`, `drop role ${role}`)
  }
})
