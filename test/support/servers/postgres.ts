/**
 * A real Postgres for tests, from the binaries of an npm package. Nothing of it remains after the
 * test process, however that ends: a watchdog reads a pipe that closes with the test process, and
 * then kills the servers and removes their files.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import {
  chownSync,
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { nativeDirectory } from './postgres-native.ts'
import { anyAlive, familyOf, freePort, run, until } from './processes.ts'

export type TestPostgres = AsyncDisposable & {
  readonly url: string
  /** The port on 127.0.0.1, the same after restarts. */
  readonly port: number
  /** Shuts the server down fast: sessions are ended, data stays. */
  stop(): Promise<void>
  /** Kills the postmaster (SIGKILL) and waits until all processes of the server have ended. */
  kill(signal?: NodeJS.Signals): Promise<void>
  /** Starts the server on the same data. A running server is stopped first. */
  restart(): Promise<void>
  /**
   * Freezes all processes of the server (SIGSTOP): the kernel accepts connects, nothing answers.
   */
  freeze(): void
  thaw(): void
}

type Bench = { readonly root: string; readonly native: string; readonly watchdog: ChildProcess }

/** The user of the server. Postgres refuses to run as root, so it runs as `nobody` then. */
const owner = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}

/**
 * The watchdog. Its input has lines of process ids; at the end of the input it kills those of the
 * last.
 */
const watch = `
  trap '' INT TERM HUP
  while read -r line; do pids=$line; done
  if [ -n "$pids" ]; then
    kill -CONT $pids; kill -QUIT $pids
    n=0; while [ $n -lt 30 ] && kill -0 $pids; do sleep 0.1; n=$((n+1)); done
    kill -KILL $pids
  fi
  rm -rf "$1"`

let bench: Promise<Bench> | undefined
let shared:
  | Promise<{ url: string; admin: postgres.Sql; server: TestPostgres | undefined }>
  | undefined
let databases: string[] = []
/** The process ids of each running server, by its data directory. */
const running = new Map<string, readonly number[]>()

/** Makes an empty database on the server that this test run shares. Returns its URL. */
export async function testDatabaseUrl(): Promise<string> {
  shared ??= openShared()
  const { url, admin } = await shared
  const name = `turnlog_test_${process.pid}_${databases.length}`
  databases.push(name)
  await admin.unsafe(`create database ${name}`)
  return Object.assign(new URL(url), { pathname: `/${name}` }).href
}

/** Starts a server for one test, which may stop, kill or freeze it. */
export async function startPostgres(
  options: { settings?: Record<string, string> } = {},
): Promise<TestPostgres> {
  bench ??= openBench()
  const { root, native, watchdog } = await bench
  const port = await freePort()
  const data = join(root, `${port}`)
  await run('cp', ['-a', join(root, 'template'), data], owner)
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '200',
    ...options.settings,
    port: String(port),
  }
  let postmaster: ChildProcess | undefined

  const note = (pids: readonly number[]) => {
    if (pids.length > 0) running.set(data, pids)
    else running.delete(data)
    watchdog.stdin?.write(`${[...running.values()].flat().join(' ')}\n`)
  }
  const family = () => (postmaster?.pid === undefined ? [] : familyOf(postmaster.pid))
  const signalAll = (signal: NodeJS.Signals) => {
    const pids = family()
    for (const pid of pids) {
      try {
        process.kill(pid, signal)
      } catch {
        // The process ended before the signal, as Postgres' workers may at any time.
      }
    }
    return pids
  }
  const start = async () => {
    const logFile = join(root, `${port}.log`)
    const log = openSync(logFile, 'a')
    const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const started = spawn(join(native, 'bin/postgres'), ['-D', data, ...args], {
      ...owner,
      cwd: '/',
      // The server has its own session, so that Ctrl-C reaches the tests only. The watchdog ends
      // the server.
      detached: true,
      stdio: ['ignore', log, log],
      env: { PATH: process.env.PATH, LC_ALL: 'C' },
    })
    closeSync(log)
    postmaster = started
    note([started.pid ?? 0])
    const status = join(data, 'postmaster.pid')
    const isReady = () => {
      const [pid, ...rest] = existsSync(status) ? readFileSync(status, 'utf8').split('\n') : []
      return pid === String(started.pid) && rest.some((line) => line.startsWith('ready'))
    }
    await until('Postgres is ready', () => isReady() || started.exitCode !== null)
    if (!isReady()) throw new Error(`Postgres did not start: ${readFileSync(logFile, 'utf8')}`)
  }
  const kill = async (signal: NodeJS.Signals = 'SIGKILL') => {
    const pids = family()
    const [first] = pids
    if (first === undefined) return
    process.kill(first, signal)
    await until('Postgres has ended', () => !anyAlive(pids))
    postmaster = undefined
    note([])
  }
  const stop = () => kill('SIGINT')

  await start()
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    port,
    stop,
    kill,
    async restart() {
      await stop()
      await start()
    },
    freeze: () => note(signalAll('SIGSTOP')),
    thaw: () => note(signalAll('SIGCONT').slice(0, 1)),
    async [Symbol.asyncDispose]() {
      signalAll('SIGCONT')
      await kill('SIGQUIT')
      rmSync(data, { recursive: true, force: true })
    },
  }
}

/** Ends the shared server. The preload calls it at the end of a run. */
export async function stopTestPostgres(): Promise<void> {
  const opened = await shared
  if (opened !== undefined) {
    // A server that the tests started takes its databases with it.
    for (const name of opened.server === undefined ? databases : []) {
      await opened.admin.unsafe(`drop database ${name} with (force)`)
    }
    await opened.admin.end({ timeout: 1 })
    await opened.server?.[Symbol.asyncDispose]()
  }
  if (bench !== undefined) {
    const { root, watchdog } = await bench
    watchdog.stdin?.end()
    await until('the watchdog has cleaned up', () => !existsSync(root))
  }
  shared = undefined
  bench = undefined
  databases = []
}

async function openShared() {
  const externalUrl = process.env.TEST_DATABASE_URL
  const server = externalUrl === undefined ? await startPostgres() : undefined
  const url = externalUrl ?? server?.url ?? ''
  return { url, server, admin: postgres(url, { max: 4, onnotice: () => {} }) }
}

/**
 * Made once for each run: a directory, its watchdog, and a fresh cluster that each server copies.
 */
async function openBench(): Promise<Bench> {
  const native = nativeDirectory(owner.uid)
  const root = mkdtempSync(join(tmpdir(), 'turnlog-postgres-'))
  const watchdog = spawn('/bin/sh', ['-c', watch, 'watchdog', root], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  watchdog.unref()
  if (owner.uid !== undefined) chownSync(root, owner.uid, owner.gid)
  const template = join(root, 'template')
  const access = ['-U', 'postgres', '--auth=trust', '--encoding=UTF8', '--locale=C']
  await run(join(native, 'bin/initdb'), ['-D', template, ...access, '--no-sync'], owner)
  return { root, native, watchdog }
}
