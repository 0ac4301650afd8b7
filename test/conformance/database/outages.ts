/** Tests of an adapter on a server, while the server is away and afterwards. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import postgres from 'postgres'
import type { DatabaseEvent, StartableDatabase } from '../../../adapters/database/startable.ts'
import { usableNow } from '../../../src/mechanics/loop-delay.ts'
import { DatabaseError } from '../../../src/ports/database.ts'
import { startPostgres, type TestPostgres } from '../../support/servers/postgres.ts'
import { until } from '../../support/servers/processes.ts'
import { startProxy, type TestProxy } from '../../support/servers/proxy.ts'
import { failure } from './database.ts'

export type OutageOptions = {
  url: string
  deadlineMs: number
  connectTimeoutMs: number
  connectionsMax: number
  onEvent(event: DatabaseEvent): void
}

/** Milliseconds. A late statement is cancelled, and Postgres has 250 ms to answer the cancel. */
const deadlineMs = 500
const slackMs = 350
const settledMs = deadlineMs + 250 + slackMs
const connectionsMax = 4

export function databaseOutages(
  name: string,
  open: (options: OutageOptions) => Promise<StartableDatabase>,
) {
  describe(`${name} during outages`, () => {
    let server: TestPostgres
    let admin: postgres.Sql
    let proxy: TestProxy
    let database: StartableDatabase
    let events: string[]
    const ask = (text: string) => database.query<object>({ text, params: [] })
    /** Waits until the pool has made all its connections and each has answered. */
    const warm = () =>
      until('every connection of the pool answers', async () => {
        const text = 'select pg_backend_pid() as pid, pg_sleep(0.02)'
        const queries = Array.from({ length: connectionsMax }, () => ask(text))
        const pids = (await Promise.all(queries)).map(([row]) => Object(row).pid)
        return new Set(pids).size === connectionsMax
      })

    // Each test has its own server, so that a test that breaks it cannot make others fail.
    beforeEach(async () => {
      server = await startPostgres()
      admin = postgres(server.url, { max: 2, onnotice: () => {}, backoff: () => 0.01 })
      events = []
      proxy = await startProxy(server.port)
      const url = server.url.replace(`:${server.port}`, `:${proxy.port}`)
      const onEvent = ({ type }: DatabaseEvent) => events.push(type)
      const connectTimeoutMs = 300
      database = await open({ url, deadlineMs, connectTimeoutMs, connectionsMax, onEvent })
      await admin`create table notes (text text)`
    }, 30_000)
    afterEach(async () => {
      // A frozen server cannot end sessions, so it is thawed.
      server.thaw()
      await database[Symbol.asyncDispose]()
      await proxy[Symbol.asyncDispose]()
      await admin.end({ timeout: 1 })
      await server[Symbol.asyncDispose]()
    }, 30_000)

    const isRunning = (text: string) =>
      until(`the server runs: ${text}`, async () => {
        const query = admin`select from pg_stat_activity where query = ${text} and state = 'active'`
        return (await query).length > 0
      })
    /**
     * The failure of a call, which must arrive within `ms` of the time that this process could use.
     */
    const failureWithin = async (ms: number, query: Promise<unknown>) => {
      const startedAt = usableNow()
      const thrown = await failure(query)
      expect(usableNow() - startedAt).toBeLessThan(ms)
      return thrown
    }
    /**
     * Waits, for about a second at most, until queries on all connections of the pool work again.
     */
    const recovers = async () => {
      const isBack = () => ask('select 1').then(...succeeds)
      await until('queries work again', isBack, 1500)
      await warm()
    }

    test('queries fail at once while the server is stopped, and work again once it runs', async () => {
      await warm()
      await server.stop()
      // A statement may be sent on a connection until the pool notices that it has ended.
      await until('the end of every connection is noticed', async () => {
        const thrown = await failureWithin(slackMs, ask('select 1'))
        return thrown instanceof DatabaseError && thrown.outcome === 'not-sent'
      })
      for (let n = 0; n < 20; n++) {
        expect(await failureWithin(slackMs, ask('select 1'))).toMatchObject({ outcome: 'not-sent' })
      }
      await server.restart()
      await recovers()
      expect(events).toEqual(['unreachable', 'reachable'])
    })

    test('a statement in flight when the server is killed has an unknown outcome', async () => {
      const text = "with a as (select pg_sleep(5)) insert into notes select 'killed' from a"
      const killed = failureWithin(settledMs, ask(text))
      await isRunning(text)
      await server.kill()
      expect(await killed).toMatchObject({ outcome: 'unknown', sqlState: undefined })
      await server.restart()
      await recovers()
      expect(await ask('select * from notes')).toEqual([])
    })

    test('a query to a frozen Postgres fails by its deadline, and queries work after the thaw', async () => {
      await warm()
      server.freeze()
      const askAll = async () =>
        (
          await Promise.all(
            Array.from({ length: connectionsMax * 3 }, () =>
              failureWithin(settledMs, ask('select 1')),
            ),
          )
        ).map(({ outcome }) => outcome)
      const first = await askAll()
      expect(first.filter((outcome) => outcome === 'unknown').length).toBe(connectionsMax)
      expect(first.filter((outcome) => outcome === 'not-sent').length).toBe(connectionsMax * 2)
      // By now the pool has no connection that ever answered.
      expect(new Set(await askAll())).toEqual(new Set(['not-sent']))
      server.thaw()
      await recovers()
      await until('the server has no other connection', async () => {
        const mine = admin`select from pg_stat_activity where application_name = 'turnlog'`
        return (await mine).length <= connectionsMax
      })
    })

    test('a statement whose connection is cut has an unknown outcome, and the connection is replaced at once', async () => {
      const text = 'select pg_sleep(5)'
      const cut = failureWithin(deadlineMs, ask(text))
      await isRunning(text)
      proxy.cut()
      expect(await cut).toMatchObject({ outcome: 'unknown' })
      expect(await ask('select 1 as one')).toEqual([{ one: 1 }])
    })

    test('a statement whose answer is lost has an unknown outcome and was committed once', async () => {
      await warm()
      proxy.onServerBytes = (chunk) => (chunk.includes('INSERT 0 1') ? 'cut' : 'pass')
      const insert = ask("insert into notes values ('committed')")
      expect(await failureWithin(deadlineMs, insert)).toMatchObject({ outcome: 'unknown' })
      // This query goes past the proxy, because the pool has not noticed yet all connections that
      // it cut.
      expect(Array.from(await admin`select * from notes`)).toEqual([{ text: 'committed' }])
    })

    test('a statement sent before the network went silent has an unknown outcome, and queries work again later', async () => {
      await warm()
      proxy.freeze()
      const insert = ask("insert into notes values ('silent')")
      expect(await failureWithin(settledMs, insert)).toMatchObject({ outcome: 'unknown' })
      const next = ask("insert into notes values ('never sent')")
      expect(await failureWithin(settledMs, next)).toMatchObject({ outcome: 'not-sent' })
      proxy.thaw()
      await recovers()
      expect(await ask("select * from notes where text <> 'silent'")).toEqual([])
      expect(events).toContain('stuck')
    })

    test('one dead Postgres connection is enough to close all idle ones of the pool', async () => {
      await warm()
      proxy.silence()
      expect(await failureWithin(settledMs, ask('select 1'))).toMatchObject({ outcome: 'unknown' })
      await warm()
    })

    test('if the cancel of a statement cannot be sent, the statement still fails by its deadline', async () => {
      await warm()
      proxy.refuse()
      const late = failureWithin(settledMs, ask('select pg_sleep(5)'))
      expect(await late).toMatchObject({ outcome: 'unknown' })
      await proxy.accept()
      await recovers()
    })

    test('a connect to a server that accepts the connection and sends nothing is given up', async () => {
      proxy.freeze()
      expect(await failureWithin(settledMs, ask('select 1'))).toMatchObject({ outcome: 'not-sent' })
    })

    test('a connect to a server that accepts and closes the connection is given up at once', async () => {
      proxy.onServerBytes = () => 'cut'
      expect(await failureWithin(slackMs, ask('select 1'))).toMatchObject({ outcome: 'not-sent' })
    })

    test('a statement whose session an operator ends has an unknown outcome, and the session is replaced at once', async () => {
      const text = "select pg_sleep(5), 'ended'"
      const ended = failureWithin(deadlineMs, ask(text))
      await isRunning(text)
      await admin`select pg_terminate_backend(pid) from pg_stat_activity where query = ${text}`
      expect(await ended).toMatchObject({ outcome: 'unknown' })
      expect(await ask('select 1 as one')).toEqual([{ one: 1 }])
    })

    test('each session that is still read-only after its role may write again is closed and reported, and no write fails', async () => {
      await admin.unsafe('create role keeper login')
      await admin.unsafe('grant all on notes to keeper')
      const url = server.url.replace('postgres@', 'keeper@')
      const events: DatabaseEvent[] = []
      const onEvent = (event: DatabaseEvent) => events.push(event)
      await using keeper = await open({
        ...{ url, deadlineMs: 5000, connectTimeoutMs: 1000, connectionsMax, onEvent },
      })
      const run = (text: string) => keeper.query<object>({ text, params: [] })
      const insert = () => run("insert into notes values ('kept')")
      await admin.unsafe('alter role keeper set default_transaction_read_only = on')
      await Promise.all(Array.from({ length: connectionsMax }, () => run('select pg_sleep(0.2)')))
      expect(await failure(insert())).toMatchObject({
        ...{ outcome: 'refused', sqlState: '25006', reason: 'read-only' },
      })
      expect((await run('select 1 as one'))[0]).toEqual({ one: 1 })
      await until('no session counts as fresh any more', async () => {
        const [row] =
          await admin`select bool_and(clock_timestamp() - backend_start > '1.5 s') as old
          from pg_stat_activity where usename = 'keeper'`
        return row?.['old'] === true
      })
      events.length = 0
      await admin.unsafe('alter role keeper reset default_transaction_read_only')
      await Promise.all(Array.from({ length: 20 }, insert))
      expect(Array.from(await admin`select count(*)::int as n from notes`)).toEqual([{ n: 20 }])
      const lines = events.filter(({ type }) => type === 'stale')
      expect(lines).toHaveLength(connectionsMax)
      expect(new Set(lines.map(({ message }) => message)).size).toBe(1)
      expect(lines[0]?.message).toEndWith(
        ' answered SQLSTATE 25006: a session that may have old settings was closed',
      )
    })

    test('a write of a read-only role does not make a new connection each time', async () => {
      await admin.unsafe('create role reader login')
      await admin.unsafe('grant all on notes to reader')
      await admin.unsafe('alter role reader set default_transaction_read_only = on')
      const url = server.url.replace('postgres@', 'reader@')
      await using reader = await open({
        ...{ url, deadlineMs: 5000, connectTimeoutMs: 1000, connectionsMax: 1, onEvent: () => {} },
      })
      const pids = new Set<number>()
      const startedAt = performance.now()
      for (let n = 0; n < 200; n++) {
        const text = "insert into notes values ('never')"
        expect(await failure(reader.query({ text, params: [] }))).toMatchObject({
          reason: 'read-only',
        })
        const [row] = await reader.query<{ pid: number }>({
          text: 'select pg_backend_pid() as pid',
          params: [],
        })
        if (row !== undefined) pids.add(row.pid)
      }
      expect(pids.size).toBeLessThanOrEqual(2 + (performance.now() - startedAt) / 500)
    })

    test('a URL with several hosts leads to one that accepts writes, or if none does, to one that answers', async () => {
      await using standby = await startPostgres({
        settings: { default_transaction_read_only: 'on' },
      })
      const hosts = `127.0.0.1:${standby.port},127.0.0.1:${proxy.port}`
      const url = server.url.replace(`127.0.0.1:${server.port}`, hosts)
      const options = { url, deadlineMs: 5000, connectTimeoutMs: 1000, connectionsMax: 2 }
      await using chosen = await open({ ...options, onEvent: () => {} })
      const port = async () => {
        const text = `select current_setting('port')::int as port`
        return (await chosen.query<{ port: number }>({ text, params: [] }))[0]?.port
      }
      expect(await port()).toBe(server.port)
      proxy.refuse()
      proxy.cut()
      const isOther = async () => (await port().catch(() => 0)) === standby.port
      await until('the other host answers', isOther)
    })

    test('nodes of a Postgres without free connections share the connections they have, and further statements are not sent', async () => {
      await admin.unsafe('create role narrow login connection limit 1')
      const url = server.url.replace('postgres@', 'narrow@')
      const onEvent = () => {}
      const options = { url, deadlineMs: 2000, connectTimeoutMs: 300, connectionsMax, onEvent }
      await using first = await open(options)
      await using second = await open(options)
      const statement = { text: 'select 1 as one', params: [] }
      // If two clients connect at one moment, Postgres may count both and refuse both.
      await first.query(statement)
      const answers = await Promise.all(Array.from({ length: 20 }, () => first.query(statement)))
      expect(answers).toEqual(answers.map(() => [{ one: 1 }]))
      const refused = failureWithin(500, second.query(statement))
      expect(await refused).toMatchObject({ outcome: 'not-sent', sqlState: '53300' })
    })
  })
}

const succeeds = [() => true, () => false] as const
