/** Every adapter, held to its port; and what only one of them promises. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { spawn } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import type { DatabaseEvent } from '../../adapters/database/startable.ts'
import { type DatabaseOptions, openDatabase } from '../../adapters/open.ts'
import { DatabaseError } from '../../src/ports/database.ts'
import { databaseConformance, refusal } from '../conformance/database/database.ts'
import { databaseOutages } from '../conformance/database/outages.ts'
import { startPostgres, testDatabaseUrl } from '../support/servers/postgres.ts'
import { until } from '../support/servers/processes.ts'
import { mountSmallDisk } from '../support/servers/small-disk.ts'

const defaults = {
  directory: '/nowhere',
  connectionsMax: 4,
  prepare: true,
  deadlineMs: 5000,
  connectTimeoutMs: 2000,
  startWaitSeconds: 10,
  allowUnsafe: false,
}

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

databaseConformance('PGlite', {
  async create() {
    const directory = await pgliteDirectory()
    return {
      open: (options) => openDatabase({ ...defaults, directory, ...options }),
      async [Symbol.asyncDispose]() {},
    }
  },
  skip: [
    {
      reason: 'a directory has one holder',
      tests: [
        'several nodes migrate one database at the same time',
        'a migration that would be skipped for its early time is refused',
      ],
    },
    {
      reason: 'a statement runs on the thread that would cancel it',
      tests: ['a statement past its deadline is cancelled, and the next one is not'],
    },
  ],
})

describe('a process that was busy', () => {
  test('discounts its stall or sends nothing, and sets no timer that the runtime warns of', async () => {
    const warnings: string[] = []
    const onWarning = ({ name }: Error) => warnings.push(name)
    process.on('warning', onWarning)
    try {
      await using database = await openDatabase({ ...defaults, url: await testDatabaseUrl() })
      const ask = (deadlineMs: number) =>
        database.query({ text: 'select 1 as one', params: [] }, { deadlineMs })
      await ask(5000)
      for (let n = 0; n < 20; n += 1) {
        // Between its connection and its statement.
        queueMicrotask(() => {
          const from = performance.now()
          while (performance.now() - from < 20);
        })
        // Which of the two depends on whether the stall was sampled.
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

describe('Postgres refuses to start', () => {
  const open = async (options: Partial<DatabaseOptions>) =>
    await openDatabase({ ...defaults, startWaitSeconds: 0, ...options })
  test('on a server that may lose what it confirmed, unless that is allowed', async () => {
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

  test('on a database of another isolation level, which the writes cannot do without', async () => {
    const url = await testDatabaseUrl()
    const sql = postgres(url, { max: 1, onnotice: () => {} })
    const name = new URL(url).pathname.slice(1)
    await sql.unsafe(`alter database ${name} set default_transaction_isolation = 'repeatable read'`)
    await sql.end()
    await using strict = await open({ url })
    for (const message of [await refusal(strict.verify()), await refusal(strict.migrate())])
      expect(message).toMatch(/has default_transaction_isolation repeatable read, .+read committed/)
  })

  test('without a server, a database, or a URL that is one; and never tells the password', async () => {
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

  test('while another node migrates for longer than it may wait', async () => {
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

test('Postgres: a start waits for a server that is starting', async () => {
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

test('Postgres: times come in UTC and ISO style, whatever the database is set to', async () => {
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

test('Postgres: one text is one prepared statement, whatever its parameters are', async () => {
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

const homes: string[] = []
let template: Promise<string> | undefined

/** A new directory below a new one, with data of a finished first start in it. */
async function pgliteDirectory(): Promise<string> {
  template ??= (async () => {
    const directory = join(newHome(), 'data')
    await (await openDatabase({ ...defaults, directory }))[Symbol.asyncDispose]()
    return directory
  })()
  const directory = join(newHome(), 'data')
  cpSync(await template, directory, { recursive: true })
  return directory
}

function newHome(): string {
  const home = mkdtempSync(join(tmpdir(), 'turnlog-pglite-'))
  homes.push(home)
  return home
}

describe('PGlite', () => {
  let directory: string
  const open = (options: Partial<DatabaseOptions> = {}) =>
    openDatabase({ ...defaults, directory, ...options })

  beforeAll(async () => {
    directory = await pgliteDirectory()
  }, 120_000)
  afterAll(() => {
    for (const home of homes) rmSync(home, { recursive: true, force: true })
  })

  test('gives a directory to one opener in a process', async () => {
    const first = await open()
    expect(await refusal(open())).toContain(
      `The data directory ${directory} is in use by process ${process.pid}: `,
    )
    expect(await first.query({ text: 'select 1 as one', params: [] })).toEqual([{ one: 1 }])
    await first[Symbol.asyncDispose]()
    await (await open())[Symbol.asyncDispose]()
  })

  test('gives a directory to one process, frozen or not, until that is dead', async () => {
    const script = `
      const { openDatabase } = await import(${JSON.stringify(join(import.meta.dir, '../../adapters/open.ts'))})
      const database = await openDatabase(${JSON.stringify({ ...defaults, directory })})
      await database.query({ text: 'create table held (a int)', params: [] })
      await database.query({ text: 'insert into held values (1)', params: [] })
      console.log('holding')
      setInterval(() => {}, 1000)`
    const holder = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
    let written = ''
    holder.stdout.on('data', (chunk) => {
      written += chunk
    })
    try {
      await until('the holder holds', () => written.includes('holding'))
      const inUse = `The data directory ${directory} is in use by process ${holder.pid}: `
      expect(await refusal(open())).toContain(inUse)
      holder.kill('SIGSTOP')
      expect(await refusal(open())).toContain(inUse)
    } finally {
      holder.kill('SIGKILL')
    }
    await until('the holder is dead', () => holder.signalCode !== null)
    await using database = await open()
    expect(await database.query({ text: 'select a from held', params: [] })).toEqual([{ a: 1 }])
  }, 20_000)

  test('keeps its directory to its owner', () => {
    expect(statSync(directory).mode & 0o777).toBe(0o700)
    expect(statSync(join(directory, 'pglite')).mode & 0o777).toBe(0o700)
  })

  test('makes the data anew where a first start was interrupted', async () => {
    const interrupted = join(newHome(), 'data')
    mkdirSync(join(interrupted, 'pglite.new/base'), { recursive: true })
    await using database = await open({ directory: interrupted })
    await database.migrate()
    await database.verify()
  }, 30_000)

  const disk = mountSmallDisk(96)
  afterAll(() => disk?.[Symbol.asyncDispose]())
  test.skipIf(disk === undefined)(
    'says why it cannot be opened anew after a full disk ended it',
    async () => {
      if (disk === undefined) return
      const small = join(disk.path, 'data')
      cpSync(directory, small, { recursive: true })
      const told: DatabaseEvent[] = []
      const onEvent = (event: DatabaseEvent) => told.push(event)
      await using database = await open({ directory: small, onEvent })
      const refused = async (text: string) => {
        const thrown = await database.query({ text, params: [] }).catch((one: unknown) => one)
        if (!(thrown instanceof DatabaseError)) throw new Error('It answered, or failed otherwise.')
        const { reason, outcome, cause } = thrown
        return { reason, outcome, cause: String(cause) }
      }
      const isTold = (type: string) => told.some((event) => event.type === type)
      disk.fill()
      for (let n = 0; n < 40 && !isTold('ended'); n += 1)
        await refused(`select pg_logical_emit_message(true, 'x', repeat('x', 1000000))`).catch(
          String,
        )
      expect(await refused('select 1')).toMatchObject({ reason: 'full', outcome: 'not-sent' })
      expect(isTold('unopened')).toBe(false)

      renameSync(small, `${small}.away`)
      for (let n = 0; n < 3; n += 1) {
        const { cause, ...known } = await refused('select 1')
        expect(known).toEqual({ reason: 'unreachable', outcome: 'not-sent' })
        expect(cause).toContain('ENOENT')
      }
      expect(told.filter(({ type }) => type === 'unopened')).toEqual([
        { type: 'unopened', message: expect.stringContaining('ENOENT') },
      ])
      renameSync(`${small}.away`, small)

      disk.makeRoom()
      const control = join(small, 'pglite/global/pg_control')
      const whole = readFileSync(control)
      writeFileSync(control, '')
      let last = await refused('select 1')
      await until('the damaged data is tried', async () => {
        last = await refused('select 1')
        return !last.cause.includes('ENOENT')
      })
      expect(last).toMatchObject({ reason: 'unreachable', outcome: 'not-sent' })
      const unopened = told.filter(({ type }) => type === 'unopened')
      expect(unopened).toHaveLength(2)
      expect(unopened[1]?.message).not.toContain('[object')
      writeFileSync(control, whole)
      await until('it is open again', () =>
        database.query({ text: 'select 1', params: [] }).then(
          () => true,
          () => false,
        ),
      )
      expect(isTold('reopened')).toBe(true)
    },
    60_000,
  )

  test('says why a directory cannot be used', async () => {
    expect(await refusal(open({ directory: '/dev/null/data' }))).toMatch(
      /^The data directory \/dev\/null\/data cannot be used: /,
    )
  })
})
