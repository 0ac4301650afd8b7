/**
 * The command line except serve and doctor: migrate, help, wrong words, and errors of libraries.
 */
import { afterAll, describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import packageJson from '../../package.json'
import { testDatabaseUrl } from '../support/servers/postgres.ts'
import { until } from '../support/servers/processes.ts'
import { directory, endServices, linesOf, ran, serving } from '../support/servers/serving.ts'

afterAll(endServices)

describe('an error of a library', () => {
  /** Starts a service with a KV module, which runs in its process like a library. */
  const withLibrary = async (name: string, code: string) => {
    const memory = join(import.meta.dir, '../../adapters/kv/memory.ts')
    const file = join(directory, `${name}.ts`)
    writeFileSync(
      file,
      `import { openMemory } from ${JSON.stringify(memory)}
      export const openKv = () => openMemory({})
      process.on('SIGUSR2', () => { ${code} })`,
    )
    const env = { DATABASE_URL: await testDatabaseUrl(), REDIS_URL: `module:${file}` }
    const { child, state, ended, url } = await serving(env)
    child.kill('SIGUSR2')
    const line = (event: string) => linesOf(state.err).find((one) => one.event === event)
    return { child, ended, line, url }
  }

  test('a warning and an unhandled rejection of a library are logged, and the service keeps running', async () => {
    const { child, ended, line, url } = await withLibrary(
      'warns',
      `setTimeout(() => {}, -5); void Promise.reject(new RangeError('nobody waits'))`,
    )
    await until('both are logged', () => !!line('process-warning') && !!line('process-failed'))
    expect(line('process-warning')).toMatchObject({
      level: 'warn',
      name: 'TimeoutNegativeWarning',
      message: expect.stringContaining('-5'),
    })
    expect(line('process-failed')).toMatchObject({
      level: 'error',
      origin: 'unhandledRejection',
      error: { name: 'RangeError', message: 'nobody waits' },
    })
    expect((await fetch(`${url}/readyz`)).status).toBe(200)
    child.kill('SIGTERM')
    expect(await ended).toBe(0)
  }, 60_000)

  test('an uncaught exception of a library stops the service like a signal, with exit code 1', async () => {
    const { ended, line } = await withLibrary('throws', `throw new TypeError('uncaught')`)
    expect(await ended).toBe(1)
    expect(line('process-failed')).toMatchObject({
      origin: 'uncaughtException',
      error: { name: 'TypeError', message: 'uncaught' },
    })
    expect(line('stopping')).toMatchObject({ reason: 'uncaughtException' })
  }, 60_000)
})

describe('turnlog migrate', () => {
  test('turnlog migrate prints whether it changed the schema', async () => {
    const env = { DATABASE_URL: await testDatabaseUrl() }
    const first = await ran(['migrate'], env)
    expect([first.code, first.out]).toEqual([0, expect.stringContaining('was brought up to date')])
    const second = await ran(['migrate'], env)
    expect([second.code, second.out]).toEqual([0, expect.stringContaining('nothing to do')])
  }, 30_000)
})

describe('turnlog', () => {
  test('turnlog prints its help and its version', async () => {
    for (const words of [['--help'], ['serve', '--help'], ['-h']]) {
      const { code, out } = await ran(words)
      expect([code, out]).toEqual([0, expect.stringContaining('Usage: turnlog')])
    }
    expect(await ran(['--version'])).toEqual({ code: 0, out: `${packageJson.version}\n`, err: '' })
    expect((await ran(['config'])).out).toContain('server.port')
  })

  test('turnlog suggests the nearest command for an unknown one', async () => {
    for (const [word, command] of [
      ['server', 'serve'],
      ['migrat', 'migrate'],
      ['conf', 'config'],
    ] as const) {
      const { code, err } = await ran([word])
      expect([code, err]).toEqual([2, `There is no command "${word}"; did you mean ${command}?\n`])
    }
    expect((await ran([])).code).toBe(2)
    expect((await ran(['serve', 'now'])).code).toBe(2)
  })

  test('turnlog serve refuses a wrong configuration and names every problem', async () => {
    writeFileSync(join(directory, 'wrong.toml'), '[server]\nport = "x"\nprot = 1\n')
    const { code, out, err } = await ran(['serve', '--config', 'wrong.toml'])
    expect([code, out]).toEqual([2, ''])
    expect(err).toContain('wrong.toml:2')
    expect(err).toContain('wrong.toml:3')
    expect(err).not.toContain('    at ')
  })

  test('a database that cannot be opened is refused in one sentence, without its password', async () => {
    const env = {
      DATABASE_URL: 'postgres://u:secret@127.0.0.1:1/x',
      TURNLOG_DATABASE_START_WAIT_SECONDS: '0',
    }
    for (const command of ['serve', 'migrate']) {
      const { code, err } = await ran(
        [command, ...(command === 'serve' ? ['--port', '0'] : [])],
        env,
      )
      expect(code).toBe(1)
      expect(err).not.toMatch(/secret|\n {4}at /)
    }
  }, 30_000)
})
