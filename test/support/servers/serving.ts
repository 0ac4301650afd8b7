/** The service and its command line as child processes, with their output. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from './processes.ts'

export const main = join(import.meta.dir, '../../../src/main.ts')

/** The working directory of every service that is started here. */
export const directory = mkdtempSync(join(tmpdir(), 'turnlog-serve-'))

const children: ChildProcess[] = []

process.on('exit', () => rmSync(directory, { recursive: true, force: true }))

/** Ends the processes that a test left running, and empties the working directory. */
export function endServices(): void {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  for (const name of readdirSync(directory)) rmSync(join(directory, name), { recursive: true })
}

export function turnlog(words: readonly string[], env: Record<string, string> = {}) {
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

/** Runs a command to its end. */
export async function ran(words: readonly string[], env: Record<string, string> = {}) {
  const { state, ended } = turnlog(words, env)
  return { code: await ended, ...state }
}

export async function serving(env: Record<string, string>, words: readonly string[] = []) {
  const { child, state, ended } = turnlog(['serve', '--port', '0', ...words], env)
  await until('it serves', () => state.err.includes('"started"') || child.exitCode !== null, 45_000)
  const url = linesOf(state.err).find(({ event }) => event === 'started')?.url
  if (typeof url !== 'string') throw new Error(`The service does not listen: ${state.err}`)
  return { child, state, ended, url }
}

/** Parses every line as a line of the log. Throws if one is not. */
export const linesOf = (err: string): Readonly<Record<string, unknown>>[] =>
  err
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))

/** Whether no process listens on the port any more. */
export const refuses = (url: string) =>
  fetch(`${url}/healthz`).then(
    () => false,
    () => true,
  )
