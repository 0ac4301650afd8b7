/** turnlog serve as a process: its start, log and signals. */
import { afterAll, describe, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import postgres from 'postgres'
import packageJson from '../../package.json'
import { testDatabaseUrl } from '../support/servers/postgres.ts'
import { freePort, until } from '../support/servers/processes.ts'
import {
  directory,
  endServices,
  linesOf,
  main,
  ran,
  refuses,
  serving,
  turnlog,
} from '../support/servers/serving.ts'

/** Locks the rows of all conversations, as a writer on another node does. */
async function rowLock(url: string) {
  const sql = postgres(url, { max: 2, onnotice: () => {} })
  const holder = await sql.reserve()
  await holder`begin`
  await holder`select 1 from conversations for update`
  return {
    async waitedFor() {
      const waiting = async () =>
        (
          await sql`select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
        ).length > 0
      await until('a writer waits for the row', waiting)
    },
    async release() {
      await holder`commit`
    },
    async [Symbol.asyncDispose]() {
      holder.release()
      await sql.end({ timeout: 1 })
    },
  }
}

afterAll(endServices)

describe('turnlog serve', () => {
  test('turnlog serve logs its address, and ends with 0 on SIGTERM, SIGINT and SIGHUP', async () => {
    const DATABASE_URL = await testDatabaseUrl()
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
      const { child, state, ended, url } = await serving({ DATABASE_URL })
      expect(linesOf(state.err).at(-1)).toMatchObject({
        event: 'started',
        version: packageJson.version,
        database: expect.stringContaining('Postgres at '),
        cache: 'memory',
      })
      expect(linesOf(state.err).at(-1)?.dataDirectory).toBeUndefined()
      for (const path of ['/v1/conversations', '/swagger', '/readyz'])
        expect((await fetch(`${url}${path}`)).status).toBe(200)
      // The connections of these requests are idle and kept alive now.
      child.kill(signal)
      const signalledAt = performance.now()
      expect(await ended).toBe(0)
      expect(performance.now() - signalledAt).toBeLessThan(9000)
      expect(linesOf(state.err).at(-1)).toMatchObject({ event: 'stopping', reason: signal })
      // Standard output is only for the results of commands.
      expect(state.out).toBe('')
    }
  }, 60_000)

  test('turnlog serve prints its addresses and a text log on a terminal', async () => {
    const DATABASE_URL = await testDatabaseUrl()
    let shown = ''
    const child = Bun.spawn([process.execPath, main, 'serve', '--port', '0'], {
      cwd: directory,
      env: { PATH: process.env.PATH ?? '', DATABASE_URL, NO_COLOR: '1' },
      terminal: {
        data(_terminal, bytes) {
          shown += new TextDecoder().decode(bytes)
        },
      },
    })
    try {
      await until(
        'it greets',
        () => shown.includes('Cache     memory') || child.exitCode !== null,
        30_000,
      )
      const url = /API {7}(http:\S+)\/v1\/conversations/.exec(shown)?.[1] ?? 'none'
      expect(shown).toContain(`Turnlog ${packageJson.version}\r\n`)
      for (const path of ['/swagger', '/readyz']) {
        expect(shown).toContain(`${url}${path}\r\n`)
        expect((await fetch(`${url}${path}`)).status).toBe(200)
      }
      expect(shown).not.toContain('survives')
      child.kill('SIGTERM')
      expect(await child.exited).toBe(0)
      await until('it says why it stops', () => /INFO {2}stopping reason=SIGTERM/.test(shown))
    } finally {
      child.kill('SIGKILL')
    }
  }, 60_000)

  test('turnlog serve logs in the format and at the level of the settings', async () => {
    const env = {
      DATABASE_URL: await testDatabaseUrl(),
      TURNLOG_LOG_FORMAT: 'text',
      TURNLOG_LOG_LEVEL: 'error',
    }
    const url = `http://127.0.0.1:${await freePort()}`
    const { child, state, ended } = turnlog(['serve', '--port', new URL(url).port], env)
    await until('it serves', async () => !(await refuses(url)) || child.exitCode !== null, 30_000)
    child.kill('SIGTERM')
    expect(await ended).toBe(0)
    expect(state).toEqual({ out: '', err: '' })
  }, 60_000)

  test('turnlog serve keeps running after the reader of its log has closed it', async () => {
    const env = { DATABASE_URL: await testDatabaseUrl(), TURNLOG_LOG_REQUESTS: 'true' }
    const { child, ended, url } = await serving(env)
    child.stderr?.destroy()
    for (let n = 0; n < 20; n += 1) expect((await fetch(`${url}/healthz`)).status).toBe(200)
    child.kill('SIGTERM')
    expect(await ended).toBe(0)
  }, 60_000)

  test('turnlog serve without settings runs an embedded database, which a second process cannot open', async () => {
    const data = join(directory, 'data')
    const { child, state, ended, url } = await serving({ TURNLOG_DATA: data })
    expect(linesOf(state.err).at(-1)).toMatchObject({ event: 'started', dataDirectory: data })
    expect((await fetch(`${url}/readyz`)).status).toBe(200)
    const second = await ran(['serve', '--port', '0'], { TURNLOG_DATA: data })
    expect([second.code, second.out]).toEqual([1, ''])
    expect(second.err.trim().split('\n')).toHaveLength(1)
    child.kill('SIGTERM')
    expect(await ended).toBe(0)
  }, 60_000)

  test('turnlog serve answers requests in flight before it ends', async () => {
    const DATABASE_URL = await testDatabaseUrl()
    const { child, ended, url } = await serving({ DATABASE_URL })
    const send = (path: string, body: unknown) =>
      fetch(`${url}${path}`, { method: 'POST', body: new Blob([JSON.stringify(body)]) })
    const path = String((await send('/v1/conversations', {})).headers.get('location'))
    await using held = await rowLock(DATABASE_URL)
    const turn = send(`${path}/turns`, { assistant: { responses: ['late'] } })
    await held.waitedFor()
    child.kill('SIGTERM')
    await until('it accepts no more connections', () => refuses(url))
    expect(child.exitCode).toBeNull()
    await held.release()
    expect((await turn).status).toBe(201)
    expect(await ended).toBe(0)
  }, 30_000)

  test('a second signal of any kind ends turnlog serve at once', async () => {
    const DATABASE_URL = await testDatabaseUrl()
    for (const [first, second, code] of [
      ['SIGINT', 'SIGINT', 130],
      ['SIGTERM', 'SIGTERM', 143],
      ['SIGHUP', 'SIGHUP', 129],
      ['SIGHUP', 'SIGTERM', 143],
      ['SIGTERM', 'SIGINT', 130],
      ['SIGINT', 'SIGHUP', 129],
    ] as const) {
      const { child, ended, url } = await serving({ DATABASE_URL })
      const socket = connect(Number(new URL(url).port), '127.0.0.1')
      socket.on('error', () => {})
      socket.write(
        'POST /v1/conversations HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{',
      )
      expect((await fetch(`${url}/healthz`)).status).toBe(200)
      child.kill(first)
      await until('it accepts no more connections', () => refuses(url))
      child.kill(second)
      expect([first, second, await ended]).toEqual([first, second, code])
    }
  }, 120_000)

  test.skipIf(!existsSync('/proc/self/status'))(
    'a service that was started by nohup outlives its terminal',
    async () => {
      const DATABASE_URL = await testDatabaseUrl()
      const words = ['nohup', process.execPath, main, 'serve', '--port', '0']
      const child = Bun.spawn(words, {
        cwd: directory,
        env: { PATH: process.env.PATH ?? '', DATABASE_URL, NO_COLOR: '1' },
        stdout: 'ignore',
        stderr: 'pipe',
      })
      let err = ''
      void (async () => {
        for await (const chunk of child.stderr) err += new TextDecoder().decode(chunk)
      })()
      try {
        await until('it serves', () => err.includes('"started"') || child.exitCode !== null, 45_000)
        child.kill('SIGHUP')
        const { url } = linesOf(err).at(-1) ?? {}
        expect((await fetch(`${String(url)}/readyz`)).status).toBe(200)
        child.kill('SIGTERM')
        expect(await child.exited).toBe(0)
        expect(linesOf(err).at(-1)).toMatchObject({ event: 'stopping', reason: 'SIGTERM' })
      } finally {
        child.kill('SIGKILL')
      }
    },
    60_000,
  )

  test('a service that still waits for its database ends at once at a signal', async () => {
    const { child, state, ended } = turnlog(['serve'], { DATABASE_URL: 'postgres://127.0.0.1:1/x' })
    await until('it waits', () => state.err.includes('"notice"') || child.exitCode !== null)
    child.kill('SIGTERM')
    const signalledAt = performance.now()
    expect(await ended).toBe(0)
    expect(performance.now() - signalledAt).toBeLessThan(9000)
    expect(state.out).toBe('')
  })

  test('a port that another program uses is refused in one sentence', async () => {
    const DATABASE_URL = await testDatabaseUrl()
    const first = await serving({ DATABASE_URL })
    const port = new URL(first.url).port
    const { code, out, err } = await ran(['serve'], { DATABASE_URL, PORT: port })
    expect([code, out]).toEqual([1, ''])
    expect(err.trim()).toMatch(/^Port \d+ on 127\.0\.0\.1 is in use by another program: .*$/)
    first.child.kill('SIGKILL')
  }, 30_000)

  test('turnlog serve starts without its Redis, logs that, and shows no password', async () => {
    const env = { DATABASE_URL: await testDatabaseUrl(), REDIS_URL: 'redis://:secret@localhost:1' }
    const { child, state, ended } = await serving(env)
    await until('it logs the loss', () => state.err.includes('cache-lost'))
    expect(linesOf(state.err).find(({ event }) => event === 'started')?.cache).toBe(
      'Redis at localhost:1',
    )
    expect(`${state.out}${state.err}`).not.toContain('secret')
    child.kill('SIGTERM')
    expect(await ended).toBe(0)
  }, 30_000)

  test('a start without migrateAtStart refuses an old schema, and turnlog migrate brings it up to date', async () => {
    const env = {
      DATABASE_URL: await testDatabaseUrl(),
      TURNLOG_DATABASE_MIGRATE_AT_START: 'false',
    }
    const { code, err } = await ran(['serve', '--port', '0'], env)
    expect(code).toBe(1)
    expect(err).toContain('turnlog migrate')
    expect((await ran(['migrate'], env)).code).toBe(0)
    const { child, ended } = await serving(env)
    child.kill('SIGTERM')
    expect(await ended).toBe(0)
  }, 30_000)
})
