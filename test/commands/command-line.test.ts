/**
 * The command line except serve and doctor: migrate, help, wrong words, and errors of libraries.
 */
import { afterAll, describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import packageJson from '../../package.json'
import { commandHelps, helpOf } from '../../src/commands/command-help.ts'
import { testDatabaseUrl } from '../support/servers/postgres.ts'
import { until } from '../support/servers/processes.ts'
import { directory, endServices, linesOf, main, ran, serving } from '../support/servers/serving.ts'

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
    for (const words of [['--help'], ['-h']]) {
      const { code, out } = await ran(words)
      expect([code, out]).toEqual([0, expect.stringContaining('Usage: turnlog <command>')])
    }
    expect(await ran(['--version'])).toEqual({ code: 0, out: `${packageJson.version}\n`, err: '' })
    expect((await ran(['config'])).out).toContain('server.port')
  })

  test('each command prints its own help with --help, in plain text if it is not on a terminal', async () => {
    for (const [command, help] of Object.entries(commandHelps)) {
      const words = command === 'cache' ? [command, 'audit', '--help'] : [command, '--help']
      expect([command, await ran(words)]).toEqual([
        command,
        { code: 0, out: helpOf(help), err: '' },
      ])
    }
  }, 60_000)

  test('the help and the log have colours on a terminal, unless NO_COLOR is set', async () => {
    const onTerminal = async (words: readonly string[], env: Record<string, string>) => {
      let shown = ''
      const child = Bun.spawn([process.execPath, main, ...words], {
        cwd: directory,
        env: { PATH: process.env.PATH ?? '', TERM: 'xterm', ...env },
        terminal: {
          data(_terminal, bytes) {
            shown += new TextDecoder().decode(bytes)
          },
        },
      })
      await child.exited
      return shown
    }
    const styled = (text: string) => text.includes('\u001b[1m')
    const colors = async (env: Record<string, string>) => {
      // The misspelt name makes a line of the log before the start is refused.
      const start = ['serve', '--database.dataDirectory', '/dev/null/data']
      const log = await onTerminal(start, { DATABSE_URL: 'x', ...env })
      expect(log).toContain('did you mean DATABASE_URL?')
      return [styled(await onTerminal(['--help'], env)), styled(log)]
    }
    expect(await colors({})).toEqual([true, true])
    expect(await colors({ NO_COLOR: '' })).toEqual([true, true])
    expect(await colors({ NO_COLOR: '1' })).toEqual([false, false])
    expect(await colors({ TERM: 'dumb' })).toEqual([false, false])
  }, 60_000)

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
