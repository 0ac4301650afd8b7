/**
 * The reports of turnlog doctor: with all servers up, with a server down, and with wrong settings.
 */
import { afterAll, describe, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { askRedis } from '../../src/commands/doctor/redis.ts'
import type { Check } from '../../src/commands/doctor/report.ts'
import { clockCheck, latencyCheck } from '../../src/commands/doctor/server-facts.ts'
import { serviceChecks } from '../../src/commands/doctor/service.ts'
import { doctor } from '../../src/commands/doctor.ts'
import { healthcheck } from '../../src/commands/healthcheck.ts'
import { configWith, examineConfig } from '../../src/config.ts'
import { createEvents } from '../../src/events.ts'
import { migrateDatabase } from '../../src/maintenance.ts'
import { startNode } from '../support/servers/node.ts'
import { startPostgres, testDatabaseUrl } from '../support/servers/postgres.ts'
import { freePort, until } from '../support/servers/processes.ts'

const directory = mkdtempSync(join(tmpdir(), 'turnlog-doctor-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

/** Settings of a service that does not run, with an embedded database that does not exist. */
const nothing = { TURNLOG_DATA: join(directory, 'none'), PORT: '0' }

const migrated = (url: string) =>
  migrateDatabase(
    configWith({ database: { url } }),
    createEvents(() => {}),
  )

/** Runs the doctor. Returns its checks by `area name`, and its exit code. */
async function examined(env: Record<string, string>) {
  const config = examineConfig({ argv: [], env: { ...nothing, ...env }, directory })
  const { text, code } = await doctor(config, { json: true })
  const { checks, wrong } = JSON.parse(text) as { checks: Check[]; wrong: number }
  const by = Object.fromEntries(checks.map((one) => [`${one.area} ${one.name}`, one]))
  return { text, code, wrong, by }
}

describe('turnlog doctor with all servers up', () => {
  test('the doctor finds nothing wrong, and reports version, latency and state of the database', async () => {
    const DATABASE_URL = await testDatabaseUrl()
    const before = await examined({ DATABASE_URL })
    expect(before.by['database schema']).toMatchObject({
      level: 'note',
      finding: 'does not exist yet',
    })
    await migrated(DATABASE_URL)
    const { by, code, wrong } = await examined({
      DATABASE_URL,
      MIGRATE_DATABASE_URL: DATABASE_URL,
    })
    expect([code, wrong]).toEqual([0, 0])
    expect(by['database server']?.finding).toMatch(/^Postgres at 127\.0\.0\.1:\d+\/\w+ answers$/)
    expect(by['database version']?.finding).toMatch(/^Postgres 1\d\.\d/)
    expect(by['database latency']?.finding).toMatch(/^\d+\.\d ms, the median of 5$/)
    expect(by['database schema']?.finding).toBe('up to date')
    expect(by['database durability']?.finding).toContain('fsync on, full_page_writes on')
    expect(by['database connections']?.finding).toMatch(
      /^the pool opens up to 10 of \d+; in use now: \d+$/,
    )
    expect(by['database isolation']?.finding).toBe('read committed')
    expect(by['database clock']?.finding).toBe("differs from this machine's clock by 0.0 s")
    expect(by['database migrations']?.finding).toMatch(/ answers in \d+\.\d ms$/)
    const levels = Object.values(by).filter(({ area }) => area === 'database')
    expect(new Set(levels.map(({ level }) => level))).toEqual(new Set(['ok']))
  })

  test('the doctor opens the embedded database only if no service holds it', async () => {
    const env = { TURNLOG_DATA: join(directory, 'embedded'), PORT: String(await freePort()) }
    const node = await startNode(env)
    try {
      const { by, code } = await examined(env)
      expect(by['database directory']?.finding).toContain(`locked by process ${node.pid}; `)
      expect(by['database server']?.finding).toStartWith(
        `embedded Postgres in ${env.TURNLOG_DATA} answers only that process`,
      )
      expect(by['service address']).toMatchObject({ level: 'ok' })
      expect(by['service readiness']?.finding).toMatch(/^ready, database up \(embedded Postgres\)/)
      expect(code).toBe(0)
    } finally {
      node.kill('SIGTERM')
      await node.exited
    }
    const { by, code } = await examined(env)
    expect(by['database directory']?.finding).toMatch(/ is free; \d\d MB$/)
    expect(by['database server']?.finding).toMatch(/ opens: version 1\d\.\d/)
    expect(by['database schema']?.finding).toBe('up to date')
    expect(by['service address']).toMatchObject({ level: 'note' })
    expect(code).toBe(0)
  }, 60_000)
})

describe('turnlog doctor without settings', () => {
  test('the doctor finds nothing wrong, notes important unset settings, and creates nothing', async () => {
    const { by, code } = await examined({})
    expect(code).toBe(0)
    expect(by['settings database.url']).toMatchObject({ level: 'note' })
    expect(by['database directory']?.finding).toEndWith('none has no data yet')
    expect(existsSync(nothing.TURNLOG_DATA)).toBe(false)
  })
})

describe('turnlog doctor with Postgres down', () => {
  test('the doctor reports a Postgres that is down soon, with advice and without the password', async () => {
    const port = await freePort()
    const DATABASE_URL = `postgres://u:hunter2@127.0.0.1:${port}/turnlog`
    const started = performance.now()
    const { by, code, text } = await examined({ DATABASE_URL, MIGRATE_DATABASE_URL: DATABASE_URL })
    expect(performance.now() - started).toBeLessThan(15_000)
    expect(code).toBe(1)
    expect(by['database server']).toEqual({
      area: 'database',
      name: 'server',
      level: 'wrong',
      finding: `No connection to Postgres at 127.0.0.1:${port}/turnlog: ECONNREFUSED`,
      advice: 'Start the server, or correct host and port in database.url, DATABASE_URL.',
    })
    expect(by['database migrations']).toMatchObject({ level: 'wrong' })
    expect(text).not.toContain('hunter2')
  })

  test('the doctor reports a hanging server within its own deadline, whatever the settings', async () => {
    await using server = await startPostgres()
    server.freeze()
    const started = performance.now()
    const { by, code } = await examined({
      DATABASE_URL: server.url,
      TURNLOG_DATABASE_CONNECT_TIMEOUT_MS: '600000',
    })
    expect(performance.now() - started).toBeLessThan(20_000)
    expect(code).toBe(1)
    // The timer of the driver may end the attempt first, and has another code for it.
    expect(by['database server']?.finding).toMatch(/^No connection to Postgres at \S+: CONNECT\w+$/)
    server.thaw()
  }, 30_000)

  test('the advice for a missing database differs from that for a missing server', async () => {
    const DATABASE_URL = `${await testDatabaseUrl()}_missing`
    const { by, code } = await examined({ DATABASE_URL })
    expect(code).toBe(1)
    expect(by['database server']).toMatchObject({
      advice: 'Create the database, or correct its name in database.url, DATABASE_URL.',
    })
  })
})

describe('turnlog doctor on an unfit server', () => {
  test('the doctor reports each unfit setting of a Postgres server with advice', async () => {
    await using server = await startPostgres({
      settings: {
        fsync: 'off',
        default_transaction_isolation: 'serializable',
        default_transaction_read_only: 'on',
        max_connections: '13',
        max_wal_senders: '0',
      },
    })
    const { by, code } = await examined({ DATABASE_URL: server.url })
    const wrong = Object.values(by).filter(({ level }) => level === 'wrong')
    expect(wrong.map(({ name }) => name)).toEqual([
      'durability',
      'connections',
      'isolation',
      'writable',
    ])
    for (const check of wrong) expect(check).toHaveProperty('advice')
    expect(code).toBe(1)
    const unsafe = await examined({
      DATABASE_URL: server.url,
      TURNLOG_DATABASE_ALLOW_UNSAFE: 'true',
      TURNLOG_DATABASE_CONNECTIONS_MAX: '4',
    })
    expect(unsafe.by['database durability']).toMatchObject({ level: 'note' })
    expect(unsafe.by['database connections']).toMatchObject({ level: 'ok' })
    expect(unsafe.by['settings database.allowUnsafe']).toMatchObject({ level: 'note' })
  }, 30_000)

  test('the doctor reports whether this release can bring the schema up to date', async () => {
    const url = await testDatabaseUrl()
    const schema = async (env: Record<string, string> = {}) =>
      (await examined({ DATABASE_URL: url, ...env })).by['database schema']
    const byHand = { TURNLOG_DATABASE_MIGRATE_AT_START: 'false' }
    expect(await schema()).toMatchObject({ level: 'note' })
    expect(await schema(byHand)).toMatchObject({
      level: 'wrong',
      advice: 'Run `turnlog migrate`: database.migrateAtStart is off.',
    })
    const sql = postgres(url, { max: 1, onnotice: () => {} })
    try {
      const user = `reader_${process.pid}`
      await sql.unsafe(`create role ${user} login`)
      const asUser = { DATABASE_URL: Object.assign(new URL(url), { username: user }).href }
      const wrong = {
        level: 'wrong',
        finding: 'does not exist yet, and this user may not create it',
      }
      expect(await schema(asUser)).toMatchObject(wrong)
      await sql.unsafe(`drop role ${user}`)
      await migrated(url)
      expect(await schema(byHand)).toMatchObject({ level: 'ok' })
      const rows = await sql`select * from turnlog_migrations order by id`
      const times = await sql`select * from drizzle.__drizzle_migrations order by id`
      const [latestRow, latestTime] = [rows.at(-1) ?? {}, times.at(-1) ?? {}]
      for (const row of rows) {
        await sql`delete from turnlog_migrations where id = ${row['id']}`
        const tag = `${String(row['id']).padStart(4, '0')}_${row['name']}`
        const finding = `${tag} has run according to drizzle.__drizzle_migrations, and its row in turnlog_migrations is missing`
        const advice = `Insert that row again: INSERT INTO turnlog_migrations (id, name, oldest_code) VALUES (${row['id']}, '${row['name']}', ${row['oldest_code']}).`
        expect(await schema()).toMatchObject({ level: 'wrong', finding, advice })
        // A start refuses with the same text.
        const refused = await migrated(url).catch((thrown: Error) => thrown.message)
        expect(refused).toContain(` is not migrated: ${finding}. ${advice}`)
        await sql`insert into turnlog_migrations ${sql(row)}`
      }
      await sql`delete from turnlog_migrations where id = ${rows.at(-1)?.['id']}`
      await sql`delete from drizzle.__drizzle_migrations where id = ${times.at(-1)?.['id']}`
      expect(await schema()).toMatchObject({ level: 'note', finding: 'older than this release' })
      await sql`insert into turnlog_migrations ${sql(latestRow)}`
      await sql`insert into drizzle.__drizzle_migrations ${sql(latestTime)}`
      await sql`delete from turnlog_migrations`
      await sql`insert into turnlog_migrations values (5, 'mine', 1)`
      expect(await schema()).toMatchObject({
        level: 'wrong',
        finding: expect.stringMatching(/^it was not migrated by this release, .*unknown: 5/),
        advice: expect.stringContaining('Export it with the commit that made it'),
      })
      await sql`delete from turnlog_migrations`
      await sql`insert into turnlog_migrations ${sql([...rows])}`
      expect((await examined({ DATABASE_URL: url })).by['database drift']?.level).toBe('ok')
      await sql`drop index segments_by_version`
      expect((await examined({ DATABASE_URL: url })).by['database drift']).toMatchObject({
        level: 'wrong',
        finding: 'index segments_by_version is missing',
        advice: expect.stringContaining('Undo the change'),
      })
      await sql`insert into turnlog_migrations values (99, 'later', 99)`
      expect(await schema()).toMatchObject({ level: 'wrong', advice: 'Run the newer release.' })
    } finally {
      await sql.end({ timeout: 1 })
    }
  })

  test('a latency above 20 ms is noted, and a clock that differs by more than a second is wrong', () => {
    expect([latencyCheck(20).level, latencyCheck(21).level]).toEqual(['ok', 'note'])
    expect([1000, -1000, 1001, -1001].map((ms) => clockCheck(ms).level)).toEqual([
      'ok',
      'ok',
      'wrong',
      'wrong',
    ])
    expect(clockCheck(2500).finding).toBe(
      "differs from this machine's clock by 2.5 s: the database is ahead",
    )
  })
})

describe('turnlog doctor with wrong settings', () => {
  test('the doctor reports each wrong setting, and still runs its other checks', async () => {
    const { by, code, text } = await examined({
      DATABASE_URL: 'mysql://u:hunter2@h/db',
      TURNLOG_WRITES_LANES: '9',
      TURNLOG_LIMIT: '1',
    })
    expect(code).toBe(1)
    expect(by['settings writes.lanes']).toMatchObject({
      level: 'wrong',
      finding:
        'must be a whole number of lanes from 1 to 4, not "9" (environment TURNLOG_WRITES_LANES)',
      advice: 'Correct it in environment TURNLOG_WRITES_LANES.',
    })
    expect(by['settings TURNLOG_LIMIT']).toMatchObject({ level: 'wrong' })
    expect(by['settings database.url']).toMatchObject({ level: 'wrong' })
    expect(by['database server']?.finding).toBe('not checked: its settings are wrong')
    expect(by['service address']).toBeDefined()
    expect(text).not.toContain('hunter2')
  })

  test('the report shows no password of a Redis URL', async () => {
    const { text } = await examined({ REDIS_URL: 'redis://:hunter2@127.0.0.1:1/0' })
    expect(text).toContain('redis://***:***@127.0.0.1:1/0')
    expect(text).not.toContain('hunter2')
  })
})

/**
 * Starts a server that answers each received chunk with the text that `answer` returns, byte by
 * byte.
 */
async function speaking(answer?: (received: string) => string) {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.setNoDelay(true)
    socket.on('data', (chunk) => {
      const bytes = [...Buffer.from(answer?.(String(chunk)) ?? '')]
      const next = () => {
        const byte = bytes.shift()
        if (byte !== undefined) socket.write(Buffer.of(byte), () => setImmediate(next))
      }
      next()
    })
  })
  const port = await freePort()
  server.listen(port, '127.0.0.1')
  await until('it listens', () => server.listening)
  return {
    port,
    [Symbol.dispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}

describe('the Redis check', () => {
  const redis = async (url: string) => (await examined({ REDIS_URL: url })).by['redis cache.url']

  test.skipIf(Bun.which('redis-server') === null)(
    'the doctor reports version and latency of a Redis',
    async () => {
      const port = await freePort()
      const words = ['--port', `${port}`, '--save', '', '--requirepass', 'p@ss', '--databases', '4']
      const server = Bun.spawn(['redis-server', ...words], { stdout: 'ignore' })
      try {
        const url = (path: string) => `redis://${path.replace('@', `@127.0.0.1:${port}`)}`
        const up = async () => (await redis(url(':p%40ss@')))?.level === 'ok'
        await until('Redis is up', up)
        expect((await redis(url('default:p%40ss@/3')))?.finding).toMatch(
          /^redis:\/\/\*\*\*:\*\*\*@\S+\/3 answers: Redis \d+\.\d+\.\d+, \d+\.\d ms$/,
        )
        expect(await redis(url(':other@'))).toMatchObject({
          level: 'wrong',
          advice: 'Correct the user or the password in REDIS_URL.',
        })
        expect((await redis(url('@')))?.finding).toContain('answers NOAUTH')
        expect(await redis(url(':p%40ss@/4'))).toMatchObject({
          advice: 'Correct the number of the database in REDIS_URL.',
        })
      } finally {
        server.kill()
        await server.exited
      }
    },
  )

  test('a Redis that is another program, does not run or is silent is reported within the deadline', async () => {
    using http = await speaking(() => 'HTTP/1.1 400 Bad Request\r\n\r\n')
    using silent = await speaking()
    const closedPort = await freePort()
    const checks = await Promise.all(
      [http.port, closedPort].map((port) => redis(`redis://127.0.0.1:${port}`)),
    )
    expect(checks.map((check) => check?.level)).toEqual(['wrong', 'wrong'])
    expect(checks.map((check) => /:\d+ (.*);/.exec(check?.finding ?? '')?.[1])).toEqual([
      'does not speak Redis',
      'cannot be reached: ECONNREFUSED',
    ])
    const failure = await askRedis(`redis://127.0.0.1:${silent.port}`, 100).catch(String)
    expect(failure).toBe('RedisFailure: does not answer')
  })

  test('a Redis may send its answers in any pieces, and may refuse to send its version', async () => {
    const info = '# Server\r\nredis_version:7.9.9\r\nos:Zürich\r\n'
    const answers = (last: string) => (received: string) =>
      received.includes('INFO') ? last : '+PONG\r\n'
    using open = await speaking(answers(`$${Buffer.byteLength(info)}\r\n${info}\r\n`))
    using shut = await speaking(answers('-NOPERM this user has no permissions\r\n'))
    const version = async (port: number) =>
      (await askRedis(`redis://127.0.0.1:${port}`, 2000)).version
    expect([await version(open.port), await version(shut.port)]).toEqual(['7.9.9', '(unknown)'])
  })
})

describe('the address of the service', () => {
  const address = async (port: number) =>
    (await serviceChecks(configWith({ server: { port } }), 300))[0]

  test('the doctor recognizes another program, a silent one and none at the address of the service', async () => {
    using http = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response('hello') })
    using other = await speaking(() => 'SSH-2.0-none\r\n')
    using silent = await speaking()
    expect((await address(http.port ?? 0))?.finding).toEndWith('belongs to another program')
    expect((await address(other.port))?.finding).toEndWith('belongs to another program')
    expect((await address(silent.port))?.finding).toEndWith('does not answer')
    expect(await address(await freePort())).toMatchObject({ level: 'note' })
  })
})

describe('turnlog doctor', () => {
  const main = join(import.meta.dir, '../../src/main.ts')
  const run = async (words: string[], env: Record<string, string> = {}) => {
    const child = Bun.spawn([process.execPath, main, ...words], {
      cwd: directory,
      env: { PATH: process.env.PATH ?? '', ...nothing, ...env },
      stdout: 'pipe',
      stderr: 'pipe',
    })
    const [out, err] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ])
    return { code: await child.exited, out, err }
  }

  test('turnlog doctor prints columns, an arrow before the advice, and a verdict', async () => {
    const DATABASE_URL = `postgres://127.0.0.1:${await freePort()}/turnlog`
    const { code, out, err } = await run(['doctor'], { DATABASE_URL })
    expect([code, err]).toEqual([1, ''])
    const lines = out.split('\n')
    const at = lines.findIndex((line) => /^ {2}wrong {2}server +No connection to /.test(line))
    const column = lines[at]?.indexOf('No connection')
    expect(lines[at + 1]?.indexOf('-> Start the server')).toBe(column ?? -1)
    expect(lines.at(-2)).toBe('1 thing is wrong.')
    const fine = await run(['doctor'])
    expect([fine.code, fine.out.trimEnd().split('\n').at(-1)]).toEqual([0, 'Nothing is wrong.'])
  })

  test('turnlog doctor --json prints JSON, even for a configuration that no start accepts', async () => {
    const { code, out } = await run(['doctor', '--json', '--prot=1'])
    const report = JSON.parse(out) as { wrong: number; checks: Check[] }
    expect([code, report.wrong]).toEqual([1, 1])
    expect(report.checks.find(({ level }) => level === 'wrong')?.name).toBe('prot')
    expect((await run(['serve', '--json'])).err).toContain('--json')
  })
})

describe('turnlog healthcheck', () => {
  const ask = (port: number, host = '127.0.0.1') =>
    healthcheck(configWith({ server: { host, port }, auth: { mode: 'none' } }), 300)

  test('turnlog healthcheck ends with 0 while the service runs, on any address it listens on', async () => {
    using server = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch: ({ url }) => new Response('', { status: url.endsWith('/healthz') ? 200 : 404 }),
    })
    const port = server.port ?? 0
    expect(await ask(port)).toEqual({
      text: `http://127.0.0.1:${port}/healthz answers 200\n`,
      code: 0,
    })
    expect((await ask(port, '0.0.0.0')).code).toBe(0)
  })

  test('turnlog healthcheck ends with 1 if no service, another program or a silent one is there', async () => {
    using other = Bun.serve({ port: 0, fetch: () => new Response('', { status: 500 }) })
    using silent = await speaking()
    expect((await ask(other.port ?? 0)).code).toBe(1)
    expect((await ask(await freePort())).code).toBe(1)
    expect((await ask(silent.port)).text).toContain('does not answer: no answer within 300 ms')
    expect((await ask(0)).code).toBe(1)
  })
})
