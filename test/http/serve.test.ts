/** The command line as a process: what it prints, how it stops, and with which code. */
import { afterAll, describe, expect, test } from 'bun:test'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import packageJson from '../../package.json'
import { testDatabaseUrl } from '../support/postgres.ts'
import { until } from '../support/processes.ts'

const main = join(import.meta.dir, '../../src/main.ts')
const directory = mkdtempSync(join(tmpdir(), 'turnlog-serve-'))
const children: ChildProcess[] = []
afterAll(() => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
})

function turnlog(words: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [main, ...words], {
    cwd: directory,
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.push(child)
  const state = { out: '', err: '' }
  child.stdout?.on('data', (chunk) => {
    state.out += chunk
  })
  child.stderr?.on('data', (chunk) => {
    state.err += chunk
  })
  const ended = once(child, 'close').then(([code]) => code as number)
  return { child, state, ended }
}

/** To its end. */
async function ran(words: readonly string[], env: Record<string, string> = {}) {
  const { state, ended } = turnlog(words, env)
  return { code: await ended, ...state }
}

async function serving(env: Record<string, string>, words: readonly string[] = []) {
  const { child, state, ended } = turnlog(['serve', '--port', '0', ...words], env)
  await until('it serves', () => state.err.includes('"started"') || child.exitCode !== null, 30_000)
  const url = /http:\/\/\S+(?=\/swagger)/.exec(state.out)?.[0]
  if (url === undefined) throw new Error(`It does not serve: ${state.err}`)
  return { child, state, ended, url }
}

describe('turnlog serve', () => {
  test('says where it is, and ends with 0 on SIGTERM and SIGINT', async () => {
    const DATABASE_URL = await testDatabaseUrl()
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const { child, state, ended, url } = await serving({ DATABASE_URL })
      expect(state.out).toContain(`Turnlog ${packageJson.version}\n`)
      for (const path of ['/v1/conversations', '/swagger', '/readyz']) {
        expect(state.out).toContain(`${url}${path}\n`)
        expect((await fetch(`${url}${path}`)).status).toBe(200)
      }
      expect(state.out).not.toContain('survives')
      // Our connections are kept alive and idle now.
      child.kill(signal)
      const asked = performance.now()
      expect(await ended).toBe(0)
      expect(performance.now() - asked).toBeLessThan(3000)
      const events = state.err
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
      expect(events.at(-1)).toMatchObject({ event: 'stopping', reason: signal })
    }
  }, 30_000)

  test('runs embedded without settings, and says what that survives', async () => {
    const data = join(directory, 'data')
    const { child, state, ended, url } = await serving({ TURNLOG_DATA: data })
    expect(state.out).toContain(`${data} (survives a crash of the process, not of the machine)`)
    expect((await fetch(`${url}/readyz`)).status).toBe(200)
    const second = await ran(['serve', '--port', '0'], { TURNLOG_DATA: data })
    expect([second.code, second.out]).toEqual([1, ''])
    expect(second.err.trim().split('\n')).toHaveLength(1)
    child.kill('SIGTERM')
    expect(await ended).toBe(0)
  }, 60_000)

  test('lets requests in flight end before it does', async () => {
    const DATABASE_URL = await testDatabaseUrl()
    const { child, ended, url } = await serving({ DATABASE_URL })
    const send = (path: string, body: unknown) =>
      fetch(`${url}${path}`, { method: 'POST', body: new Blob([JSON.stringify(body)]) })
    const path = String((await send('/v1/conversations', {})).headers.get('location'))
    await using held = await rowLock(DATABASE_URL)
    const turn = send(`${path}/turns`, { assistant: { responses: ['late'] } })
    await held.waitedFor()
    child.kill('SIGTERM')
    await until('it takes no more connections', () => refuses(url))
    expect(child.exitCode).toBeNull()
    await held.release()
    expect((await turn).status).toBe(201)
    expect(await ended).toBe(0)
  }, 30_000)

  test('ends at once at a second signal', async () => {
    const DATABASE_URL = await testDatabaseUrl()
    for (const [signal, code] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
    ] as const) {
      const { child, ended, url } = await serving({ DATABASE_URL })
      const socket = connect(Number(new URL(url).port), '127.0.0.1')
      socket.on('error', () => {})
      socket.write(
        'POST /v1/conversations HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{',
      )
      expect((await fetch(`${url}/healthz`)).status).toBe(200)
      child.kill(signal)
      await until('it takes no more connections', () => refuses(url))
      child.kill(signal)
      expect(await ended).toBe(code)
    }
  }, 30_000)

  test('ends at once while it still waits for its database', async () => {
    const { child, state, ended } = turnlog(['serve'], { DATABASE_URL: 'postgres://127.0.0.1:1/x' })
    await until('it waits', () => state.err.includes('"notice"') || child.exitCode !== null)
    child.kill('SIGTERM')
    const asked = performance.now()
    expect(await ended).toBe(0)
    expect(performance.now() - asked).toBeLessThan(3000)
    expect(state.out).toBe('')
  })

  test('is refused a port that is taken, in one sentence', async () => {
    const DATABASE_URL = await testDatabaseUrl()
    const first = await serving({ DATABASE_URL })
    const port = new URL(first.url).port
    const { code, out, err } = await ran(['serve'], { DATABASE_URL, PORT: port })
    expect([code, out]).toEqual([1, ''])
    expect(err.trim()).toMatch(/^Port \d+ on 127\.0\.0\.1 is taken by another program: .*$/)
    first.child.kill('SIGKILL')
  }, 30_000)

  test('starts without its Redis, says so, and shows no password', async () => {
    const env = { DATABASE_URL: await testDatabaseUrl(), REDIS_URL: 'redis://:secret@localhost:1' }
    const { child, state, ended } = await serving(env)
    await until('it says so', () => state.err.includes('cache-lost'))
    expect(state.out).toContain('Cache     Redis at localhost:1')
    expect(`${state.out}${state.err}`).not.toContain('secret')
    child.kill('SIGTERM')
    expect(await ended).toBe(0)
  }, 30_000)

  test('refuses tables that are out of date where it may not migrate', async () => {
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

describe('turnlog migrate', () => {
  test('says what it did', async () => {
    const env = { DATABASE_URL: await testDatabaseUrl() }
    const first = await ran(['migrate'], env)
    expect([first.code, first.out]).toEqual([0, expect.stringContaining('were brought up to date')])
    const second = await ran(['migrate'], env)
    expect([second.code, second.out]).toEqual([0, expect.stringContaining('nothing to do')])
  }, 30_000)
})

describe('turnlog', () => {
  test('helps, and says its version', async () => {
    for (const words of [['--help'], ['serve', '--help'], ['-h']]) {
      const { code, out } = await ran(words)
      expect([code, out]).toEqual([0, expect.stringContaining('Usage: turnlog')])
    }
    expect(await ran(['--version'])).toEqual({ code: 0, out: `${packageJson.version}\n`, err: '' })
    expect((await ran(['config'])).out).toContain('server.port')
  })

  test('names the nearest verb to one that it does not know', async () => {
    for (const [word, verb] of [
      ['server', 'serve'],
      ['migrat', 'migrate'],
      ['conf', 'config'],
    ] as const) {
      const { code, err } = await ran([word])
      expect([code, err]).toEqual([2, `There is no verb "${word}"; did you mean ${verb}?\n`])
    }
    expect((await ran([])).code).toBe(2)
    expect((await ran(['serve', 'now'])).code).toBe(2)
  })

  test('refuses a configuration with every problem named', async () => {
    writeFileSync(join(directory, 'wrong.toml'), '[server]\nport = "x"\nprot = 1\n')
    const { code, out, err } = await ran(['serve', '--config', 'wrong.toml'])
    expect([code, out]).toEqual([2, ''])
    expect(err).toContain('wrong.toml:2')
    expect(err).toContain('wrong.toml:3')
    expect(err).not.toContain('    at ')
  })

  test('refuses a database that cannot be opened, in one sentence', async () => {
    const env = {
      DATABASE_URL: 'postgres://u:secret@127.0.0.1:1/x',
      TURNLOG_DATABASE_START_WAIT_SECONDS: '0',
    }
    for (const verb of ['serve', 'migrate']) {
      const { code, err } = await ran([verb, ...(verb === 'serve' ? ['--port', '0'] : [])], env)
      expect(code).toBe(1)
      expect(err).not.toMatch(/secret|\n {4}at /)
    }
  }, 30_000)
})

const refuses = (url: string) =>
  fetch(`${url}/healthz`).then(
    () => false,
    () => true,
  )

/** Holds the rows of all conversations, as a writer elsewhere would. */
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
