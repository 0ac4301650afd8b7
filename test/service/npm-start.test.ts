/** `npm start` as newcomers run it: npm, a launcher on Node, and the service on Bun below both. */
import { expect, test } from 'bun:test'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { freePort, until } from '../support/servers/processes.ts'

const root = join(import.meta.dir, '../..')
const needed = ['package.json', 'bun.lock', 'bunfig.toml', '.npmrc', 'tsconfig.json']
const folders = ['scripts', 'src', 'adapters', 'drizzle']

/** A checkout of its own: the install of `npm start` would drop what the tests need from ours. */
function checkout(): string {
  const directory = mkdtempSync(join(tmpdir(), 'turnlog-start-'))
  for (const name of [...needed, ...folders])
    cpSync(join(root, name), join(directory, name), { recursive: true })
  return directory
}

/** Starts `npm start` and resolves once the service is ready. */
async function npmStart(directory: string) {
  const port = await freePort()
  const log = join(directory, `${port}.log`)
  const child = Bun.spawn(['npm', 'start'], {
    cwd: directory,
    env: {
      HOME: process.env['HOME'] ?? directory,
      PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
      PORT: String(port),
    },
    stdin: 'ignore',
    stdout: Bun.file(log),
    stderr: Bun.file(log),
  })
  const isReady = async () => {
    if (child.exitCode !== null) throw new Error(`npm start ended: ${readFileSync(log, 'utf8')}`)
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined)
    return answer?.ok === true
  }
  await until('the service is ready', isReady, 120_000)
  const isGone = async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/livez`).catch(() => undefined)
    return answer === undefined
  }
  return { child, isGone, log: () => readFileSync(log, 'utf8') }
}

test('a signal to npm start stops the service and frees its data directory', async () => {
  const directory = checkout()
  const first = await npmStart(directory)
  expect(existsSync(join(directory, '.turnlog'))).toBe(true)
  first.child.kill('SIGTERM')
  expect(await first.child.exited).toBe(0)
  expect(await first.isGone()).toBe(true)
  expect(first.log()).toContain('"reason":"SIGTERM"')

  // The directory is free, or this start would be refused. Ctrl-C reaches the launcher twice.
  const second = await npmStart(directory)
  second.child.kill('SIGINT')
  second.child.kill('SIGINT')
  expect(await second.child.exited).toBe(0)
  expect(second.log()).toContain('"reason":"SIGINT"')

  // An npm that is killed sends no signal: the launcher notices that its parent is gone.
  const third = await npmStart(directory)
  third.child.kill('SIGKILL')
  await until('the service is gone', third.isGone, 30_000)
  await until('it stopped by a signal', () => third.log().includes('"reason":"SIGTERM"'), 30_000)
  rmSync(directory, { recursive: true, force: true })
}, 400_000)
