/** The conformance suite of the database port, for every adapter. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defaultMigrationsFolder } from '../../../adapters/database/migrations.ts'
import type { StartableDatabase } from '../../../adapters/database/startable.ts'
import { usableNow } from '../../../src/mechanics/loop-delay.ts'
import { DatabaseError, type Param, StartRefusal } from '../../../src/ports/database.ts'
import { databaseValues } from './values.ts'

export type DatabaseSubject = AsyncDisposable & {
  /** Opens the same database each time; it is empty at first. */
  open(options?: OpenOptions): Promise<StartableDatabase>
}

export type OpenOptions = {
  deadlineMs?: number
  connectionsMax?: number
  migrationsFolder?: string
}

export type DatabaseConformance = {
  readonly create: () => Promise<DatabaseSubject>
  /** The claims that the adapter cannot meet, each group with its reason. */
  readonly skip?: readonly { reason: string; tests: readonly string[] }[]
}

/** Registers one claim. An adapter skips it by this name. */
export type Claim = (what: string, body: () => Promise<void>) => void
export type Ask = <Row extends object>(text: string, ...params: Param[]) => Promise<Row[]>

export function databaseConformance(name: string, { create, skip = [] }: DatabaseConformance) {
  const skipped = new Map(skip.flatMap(({ reason, tests }) => tests.map((each) => [each, reason])))
  const claim: Claim = (what, body) => {
    const reason = skipped.get(what)
    if (reason === undefined) test(what, body, 20_000)
    else test.skip(`${what} (${reason})`, body)
    skipped.delete(what)
  }

  describe(`${name} keeps the database port's promises:`, () => {
    let subject: DatabaseSubject
    let database: StartableDatabase
    const ask: Ask = async (text, ...params) => await database.query({ text, params })

    beforeAll(async () => {
      subject = await create()
      database = await subject.open({ connectionsMax: 10 })
    }, 120_000)
    afterAll(async () => {
      await database[Symbol.asyncDispose]()
      await subject[Symbol.asyncDispose]()
    })

    claim('a missing schema is refused with the command that creates it', async () => {
      expect(await refusal(database.verify())).toContain('run `turnlog migrate`')
    })

    claim(
      'migrations run once, although several callers migrate at a time, several times',
      async () => {
        await Promise.all([database.migrate(), database.migrate(), database.migrate()])
        await database.migrate()
        await database.verify()
        const rows = await ask<{ id: number }>('select id from turnlog_migrations order by id')
        expect(rows.map(({ id }) => id)).toEqual(
          readJournal(defaultMigrationsFolder).entries.map(({ idx }) => idx),
        )
      },
    )

    claim('several nodes migrate one database at the same time', async () => {
      const folder = migrationsWith('CREATE TABLE made_once (a int);')
      const nodes = await Promise.all(
        Array.from({ length: 4 }, () => subject.open({ migrationsFolder: folder })),
      )
      await Promise.all(nodes.map((node) => node.migrate()))
      await Promise.all(nodes.map((node) => node.verify()))
      expect(await ask('select * from made_once')).toEqual([])
      await Promise.all(nodes.map((node) => node[Symbol.asyncDispose]()))
    })

    claim('a migration that drizzle would skip because of its early time is refused', async () => {
      await database.migrate()
      await using early = await subject.open({
        migrationsFolder: migrationsWith('CREATE TABLE made_never (a int);', {
          idx: 900,
          when: 1000,
        }),
      })
      const skipped = /added has not run, and would be skipped/
      expect(await refusal(early.verify())).toMatch(skipped)
      expect(await refusal(early.migrate())).toMatch(skipped)
      expect(await ask("select to_regclass('made_never') as made")).toEqual([{ made: null }])
    })

    claim('a database that newer code has migrated too far for this code is refused', async () => {
      await database.migrate()
      await ask("insert into turnlog_migrations values (1000, 'later', 1000)")
      const sentence = /^A newer Turnlog has migrated .+\.$/
      expect(await refusal(database.migrate())).toMatch(sentence)
      expect(await refusal(database.verify())).toMatch(sentence)
      await ask('delete from turnlog_migrations where id = 1000')
      await database.verify()
    })

    databaseValues(claim, ask)

    claim('each of many concurrent callers gets its own answer', async () => {
      const answers = await Promise.all(
        Array.from({ length: 300 }, (_, n) => ask<{ n: number }>('select $1::int as n', n)),
      )
      expect(answers.map(([row]) => row?.n)).toEqual(Array.from({ length: 300 }, (_, n) => n))
    })

    claim(
      'a refused statement is rolled back, and its error names SQLSTATE and constraint',
      async () => {
        await ask('create table pets (name text constraint pets_pk primary key, age int)')
        await ask('alter table pets add constraint pets_age check (age > 0)')
        await ask("insert into pets values ('Rex', 3)")
        const insert =
          'with a as (insert into pets values ($1, 1)) insert into pets values ($2, $3)'
        expect(await failure(ask(insert, 'new', 'Rex', 4))).toMatchObject({
          outcome: 'refused',
          sqlState: '23505',
          constraint: 'pets_pk',
        })
        expect(await failure(ask(insert, 'new', 'Tom', -4))).toMatchObject({
          outcome: 'refused',
          sqlState: '23514',
          constraint: 'pets_age',
        })
        expect(await ask('select name from pets')).toEqual([{ name: 'Rex' }])
      },
    )

    claim('the messages of failures quote neither statements nor values', async () => {
      const failures = await Promise.all([
        failure(ask('select $1::int as secretive', 'hush-value')),
        failure(ask("select secretive 'hush-value' from")),
        failure(ask('select $1::jsonb', '{"hush-value"')),
        failure(ask('select pg_catalog.to_number($1, $2)', 'hush-value', 'secretive')),
      ])
      for (const { outcome, sqlState, message, cause } of failures) {
        expect(outcome).toBe('refused')
        expect(message).toContain(String(sqlState))
        expect(`${message} ${Bun.inspect(cause)}`).not.toMatch(/secretive|hush-value/)
      }
    })

    claim(
      'a statement past its deadline is cancelled without cancelling the next one',
      async () => {
        await ask('create table slow (a int)')
        // On a busy machine, this process gets less time than the wall clock counts.
        const startedAt = usableNow()
        const insert = 'with a as (select pg_sleep(5)) insert into slow select 1 from a'
        const late = await failure(
          database.query({ text: insert, params: [] }, { deadlineMs: 150 }),
        )
        expect(usableNow() - startedAt).toBeLessThan(150 + 400)
        expect(late).toMatchObject({ outcome: 'refused', sqlState: '57014' })
        await Promise.all(Array.from({ length: 20 }, () => ask('select pg_sleep(0.01)')))
        expect(await ask('select a from slow')).toEqual([])
      },
    )

    claim('a statement that gets no connection within its deadline fails as not-sent', async () => {
      await using other = await create()
      await using narrow = await other.open({ connectionsMax: 1 })
      await narrow.query({ text: 'create table turns (a int)', params: [] })
      // On a busy machine, stalls can move a deadline of 100 ms to 1.05 s. This takes longer.
      const before = narrow.query({ text: 'select pg_sleep(2)', params: [] })
      const insert = { text: 'insert into turns values (1)', params: [] }
      expect(await failure(narrow.query(insert, { deadlineMs: 100 }))).toMatchObject({
        outcome: 'not-sent',
        sqlState: undefined,
      })
      await before
      expect(await narrow.query({ text: 'select a from turns', params: [] })).toEqual([])
    })

    claim(
      'closing waits for running statements, and a statement that it refuses has not run',
      async () => {
        await using other = await create()
        const closing = await other.open({ connectionsMax: 2 })
        // After this first answer, the connection exists, and the next statements are sent at once.
        await closing.query({ text: 'create table written (n int)', params: [] })
        const text = 'with a as (select pg_sleep(0.05)) insert into written select $1 from a'
        const numbers = Array.from({ length: 8 }, (_, n) => n)
        const inserts = numbers.map((n) => closing.query({ text, params: [n] }))
        const settled = Promise.allSettled(inserts)
        await Bun.sleep(0)
        await closing[Symbol.asyncDispose]()
        await closing[Symbol.asyncDispose]()
        expect(await failure(closing.query({ text, params: [9] }))).toMatchObject({
          outcome: 'not-sent',
        })
        const results = await settled
        const done = numbers.filter((n) => results[n]?.status === 'fulfilled')
        expect(done).toContain(0)
        for (const result of results) {
          if (result.status === 'rejected') expect(result.reason.outcome).toBe('not-sent')
        }
        await using reopened = await other.open()
        const rows = await reopened.query({ text: 'select n from written order by n', params: [] })
        expect(rows).toEqual(done.map((n) => ({ n })))
      },
    )

    test('every skipped claim exists in the suite', () => {
      expect([...skipped.keys()]).toEqual([])
    })
  })
}

/** The error of a failed query. The test fails if the query succeeds. */
export async function failure(query: Promise<unknown>): Promise<DatabaseError> {
  const thrown = await query.then(
    () => 'nothing was thrown',
    (error: unknown) => error,
  )
  if (!(thrown instanceof DatabaseError)) throw new Error(`Not a DatabaseError: ${String(thrown)}`)
  return thrown
}

/** The sentence of a start refusal. The test fails if the start succeeds. */
export async function refusal(start: Promise<unknown>): Promise<string> {
  const thrown = await start.then(
    () => 'nothing was thrown',
    (error: unknown) => error,
  )
  if (!(thrown instanceof StartRefusal)) throw new Error(`Not refused: ${String(thrown)}`)
  return thrown.message
}

const folders: string[] = []
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

const readJournal = (folder: string): { entries: { idx: number }[] } =>
  JSON.parse(readFileSync(join(folder, 'meta/_journal.json'), 'utf8'))

/** Makes a copy of the project's migrations with another one at the end. */
function migrationsWith(sql: string, { idx = 800, when = 4e12 } = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'turnlog-migrations-'))
  folders.push(folder)
  cpSync(defaultMigrationsFolder, folder, { recursive: true })
  const file = join(folder, 'meta/_journal.json')
  const journal = readJournal(folder)
  const entry = { idx, version: '7', when, tag: 'added', breakpoints: true }
  writeFileSync(file, JSON.stringify({ ...journal, entries: [...journal.entries, entry] }))
  const record = `INSERT INTO turnlog_migrations (id, name, oldest_code) VALUES (${idx}, 'added', 1);`
  writeFileSync(join(folder, 'added.sql'), `${sql}\n--> statement-breakpoint\n${record}`)
  return folder
}
