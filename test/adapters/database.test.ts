/** Tests of the adapter on a Postgres server: the conformance suite, and its own promises. */
import { describe, expect, test } from 'bun:test'
import postgres from 'postgres'
import type { DatabaseEvent } from '../../adapters/database/startable.ts'
import { type DatabaseOptions, openDatabase } from '../../adapters/open.ts'
import { databaseConformance, refusal } from '../conformance/database/database.ts'
import { databaseOutages } from '../conformance/database/outages.ts'
import { defaults } from '../support/database-options.ts'
import { startPostgres, testDatabaseUrl } from '../support/servers/postgres.ts'
import { until } from '../support/servers/processes.ts'

for (const prepare of [true, false]) {
  databaseConformance(`Postgres, ${prepare ? '' : 'not '}prepared`, {
    async create() {
      const url = await testDatabaseUrl()
      return {
        open: (options) => openDatabase({ ...defaults, url, prepare, ...options }),
        async [Symbol.asyncDispose]() {},
      }
    },
  })
}

databaseOutages('Postgres', (options) => openDatabase({ ...defaults, ...options }))

describe('a process that was busy', () => {
  test('a stalled process extends the deadline of a statement or does not send the statement, and sets no invalid timer', async () => {
    const warnings: string[] = []
    const onWarning = ({ name }: Error) => warnings.push(name)
    process.on('warning', onWarning)
    try {
      await using database = await openDatabase({ ...defaults, url: await testDatabaseUrl() })
      const ask = (deadlineMs: number) =>
        database.query({ text: 'select 1 as one', params: [] }, { deadlineMs })
      await ask(5000)
      for (let n = 0; n < 20; n += 1) {
        // The stall comes after the connect and before the statement.
        queueMicrotask(() => {
          const from = performance.now()
          while (performance.now() - from < 20);
        })
        // The outcome depends on whether a sample noticed the stall.
        const outcome = await ask(10).catch((thrown: unknown) => thrown)
        if (!Array.isArray(outcome))
          expect(outcome).toMatchObject({ name: 'DatabaseError', outcome: 'not-sent' })
      }
      expect(await ask(5000)).toEqual([{ one: 1 }])
      expect(warnings).toEqual([])
    } finally {
      process.off('warning', onWarning)
    }
  })
})

describe('a start on Postgres', () => {
  const open = async (options: Partial<DatabaseOptions>) =>
    await openDatabase({ ...defaults, startWaitSeconds: 0, ...options })
  test('a server that may lose confirmed writes is refused, unless allowUnsafe is set', async () => {
    await using server = await startPostgres({
      settings: { fsync: 'off', full_page_writes: 'off' },
    })
    await using careful = await open({ url: server.url })
    for (const message of [await refusal(careful.verify()), await refusal(careful.migrate())]) {
      expect(message).toMatch(
        /^Postgres at 127\.0\.0\.1:\d+\/postgres runs with fsync and full_page_writes off .+: turn them on in postgresql\.conf, .+database\.allowUnsafe\.$/,
      )
    }
    const events: DatabaseEvent[] = []
    const onEvent = (event: DatabaseEvent) => events.push(event)
    await using daring = await open({ url: server.url, allowUnsafe: true, onEvent })
    await daring.migrate()
    await daring.verify()
    expect(events.map(({ type }) => type)).toEqual(['unsafe', 'migrated', 'unsafe'])
  }, 20_000)

  test('a database with another isolation level than read committed is refused', async () => {
    const url = await testDatabaseUrl()
    const sql = postgres(url, { max: 1, onnotice: () => {} })
    const name = new URL(url).pathname.slice(1)
    await sql.unsafe(`alter database ${name} set default_transaction_isolation = 'repeatable read'`)
    await sql.end()
    await using strict = await open({ url })
    for (const message of [await refusal(strict.verify()), await refusal(strict.migrate())])
      expect(message).toMatch(/has default_transaction_isolation repeatable read, .+read committed/)
  })

  test('a missing server, a missing database or a malformed URL is refused, without printing the password', async () => {
    const url = new URL(await testDatabaseUrl())
    url.password = 'hush'
    const missing = Object.assign(new URL(url), { pathname: '/not_there' }).href
    const messages = [
      await refusal((await open({ url: 'postgres://me:hush@127.0.0.1:1/x' })).verify()),
      await refusal((await open({ url: missing })).migrate()),
      await refusal(open({ url: 'postgres:me:hush' })),
      await refusal(open({ url: 'mysql://me:hush@host/db' })),
    ]
    expect(messages[0]).toContain('ECONNREFUSED')
    expect(messages[1]).toContain('3D000')
    expect(messages[2]).toContain('postgres://user@host:5432/name')
    expect(messages[3]).toContain('mysql:')
    expect(messages.join()).not.toContain('hush')
  })

  test('a start is refused if another node migrates for longer than startWaitSeconds', async () => {
    const url = await testDatabaseUrl()
    const other = postgres(url, { max: 1 })
    await other`select pg_advisory_lock(${0x7475726e})`
    await using late = await open({ url, startWaitSeconds: 0.1 })
    expect(await refusal(late.migrate())).toContain('Another node has been migrating')
    await using patient = await open({ url, startWaitSeconds: 10 })
    const migrated = patient.migrate()
    await other.end()
    await migrated
    await patient.verify()
  })
})

test('a start waits for a Postgres server that is starting', async () => {
  await using server = await startPostgres()
  await server.stop()
  const events: string[] = []
  const onEvent = ({ type }: DatabaseEvent) => events.push(type)
  await using database = await openDatabase({ ...defaults, url: server.url, onEvent })
  const migrated = database.migrate()
  await until('it waits', () => events.includes('waiting'))
  await server.restart()
  await migrated
  expect(events).toEqual(['waiting', 'migrated'])
}, 20_000)

test('times are read in UTC and ISO style, whatever the settings of the database are', async () => {
  const url = await testDatabaseUrl()
  const settings = postgres(url, { max: 1 })
  const name = new URL(url).pathname.slice(1)
  await settings.unsafe(`alter database ${name} set datestyle = 'German'`)
  await settings.unsafe(`alter database ${name} set timezone = 'Asia/Tokyo'`)
  await settings.end()
  await using database = await openDatabase({ ...defaults, url })
  const text = "select '2026-11-23T09:30:00.5Z'::timestamptz as time"
  expect(await database.query({ text, params: [] })).toEqual([{ time: '2026-11-23 09:30:00.5+00' }])
})

test('one text is one prepared statement on Postgres, whatever its parameters are', async () => {
  const url = await testDatabaseUrl()
  await using database = await openDatabase({ ...defaults, url, connectionsMax: 1 })
  const text = 'select $1::int8, $2::text[], $3::bool, now()'
  await database.query({ text, params: [null, [], true] })
  await database.query({ text, params: [1, ['a'], null] })
  await database.query({ text, params: ['2', null, 'false'] })
  const plain = { text: 'select 1', params: [] }
  await database.query(plain)
  await database.query(plain)
  const prepared =
    'select statement, generic_plans + custom_plans as runs from pg_prepared_statements'
  expect(await database.query({ text: `${prepared} where statement <> $1`, params: [''] })).toEqual(
    expect.arrayContaining([
      { statement: text, runs: 3 },
      { statement: plain.text, runs: 2 },
    ]),
  )
})
