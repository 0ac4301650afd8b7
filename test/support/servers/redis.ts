/** Real Redis servers for tests. Each has its own port and ends with the test process. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { closeSync, copyFileSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { provide } from './apt.ts'
import { until } from './processes.ts'
import { startWatchdog, type Watchdog } from './watchdog.ts'

export type TestRedis = AsyncDisposable & {
  readonly url: string
  /** The port on 127.0.0.1, the same after restarts. */
  readonly port: number
  /** Runs a command through redis-cli. Returns its output. */
  ask(...command: string[]): string
  /** Saves the data. Returns a file for `restart`. */
  dump(): string
  stop(): Promise<void>
  /** Kills the server (SIGKILL). */
  kill(): Promise<void>
  /** Kills a running server and starts it with the data of the dump, or empty without a dump. */
  restart(options?: { dump?: string }): Promise<void>
  /** Freezes the server (SIGSTOP): the kernel accepts connects, nothing answers. */
  freeze(): void
  thaw(): void
}

export type TestRedisCluster = AsyncDisposable & {
  readonly nodes: readonly TestRedis[]
  /** The URL, which names every node. */
  readonly url: string
}

let missing: { reason: string | undefined } | undefined

/** Why no Redis is available for tests; undefined if one is, or could be installed. */
export function redisMissing(): string | undefined {
  missing ??= { reason: provide(['redis-server', 'redis-cli'], ['redis-server']) }
  return missing.reason
}

let watchdog: Watchdog | undefined
const running = new Map<number, number>()

export async function startRedis(
  options: { settings?: Record<string, string>; port?: number } = {},
): Promise<TestRedis> {
  watchdog ??= startWatchdog('redis')
  const port = options.port ?? (await stablePort())
  const directory = join(watchdog.root, String(port))
  mkdirSync(directory)
  const settings = {
    bind: '127.0.0.1',
    save: '',
    appendonly: 'no',
    'enable-debug-command': 'yes',
    ...options.settings,
    port: String(port),
    dir: directory,
  }
  const dataFile = join(directory, 'dump.rdb')
  let server: ChildProcess | undefined
  let dumps = 0

  const note = () => watchdog?.note([...running.values()])
  const ask = (...command: string[]) => {
    const { stdout, stderr, status } = spawnSync('redis-cli', ['-p', String(port), ...command], {
      encoding: 'utf8',
      timeout: 5000,
    })
    if (status !== 0) throw new Error(`redis-cli ${command.join(' ')}: ${stdout}${stderr}`)
    return stdout.trimEnd()
  }
  const start = async () => {
    const logFile = join(directory, 'log')
    const log = openSync(logFile, 'a')
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])
    const started = spawn('redis-server', args, {
      cwd: directory,
      detached: true,
      stdio: ['ignore', log, log],
    })
    closeSync(log)
    server = started
    running.set(port, started.pid ?? 0)
    note()
    const answers = async () => (await pinged(port)) || started.exitCode !== null
    await until('Redis is ready', answers)
    if (started.exitCode !== null) throw new Error(readFileSync(logFile, 'utf8'))
  }
  const end = async (signal: NodeJS.Signals) => {
    const ending = server
    server = undefined
    if (ending === undefined) return
    // Wait until the process is reaped. The table of processes shows it as dead when its first
    // thread has ended, while another thread may still hold the port.
    const isGone = () => ending.exitCode !== null || ending.signalCode !== null
    if (!isGone()) ending.kill(signal)
    await until('Redis has ended', isGone)
    running.delete(port)
    note()
  }
  const kill = () => end('SIGKILL')
  const signal = (name: NodeJS.Signals) => {
    if (server?.pid !== undefined) process.kill(server.pid, name)
  }

  await start()
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    ask,
    dump() {
      ask('SAVE')
      const copy = join(directory, `copy-${dumps++}.rdb`)
      copyFileSync(dataFile, copy)
      return copy
    },
    stop: () => end('SIGTERM'),
    kill,
    async restart({ dump } = {}) {
      await kill()
      if (dump === undefined) rmSync(dataFile, { force: true })
      else copyFileSync(dump, dataFile)
      await start()
    },
    freeze: () => signal('SIGSTOP'),
    thaw: () => signal('SIGCONT'),
    async [Symbol.asyncDispose]() {
      await kill()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** Whether a server answers on this port. The call does not block the test process. */
const pinged = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write('PING\r\n'))
    socket.on('data', (reply) => {
      resolve(String(reply).startsWith('+PONG'))
      socket.destroy()
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(false))
  })

/**
 * A free port below those that the kernel gives to clients, so that a restarted server can use it
 * again. The bus port of a Cluster node is 10,000 above its port.
 */
export async function stablePort(): Promise<number> {
  for (;;) {
    const port = 12_000 + Math.floor(Math.random() * 10_000)
    const listener = createServer()
    const isFree = await new Promise<boolean>((resolve) => {
      listener.once('error', () => resolve(false))
      listener.listen(port, '127.0.0.1', () => resolve(true))
    })
    if (!isFree) continue
    listener.close()
    return port
  }
}

/** Starts a Cluster of three masters that share the slots. */
export async function startRedisCluster(): Promise<TestRedisCluster> {
  const settings = {
    'cluster-enabled': 'yes',
    'cluster-node-timeout': '2000',
    'cluster-require-full-coverage': 'no',
  }
  const nodes: TestRedis[] = []
  while (nodes.length < 3) nodes.push(await startRedis({ settings }))
  const bounds = [0, 5461, 10_923, 16_384]
  for (const [index, node] of nodes.entries()) {
    node.ask('CLUSTER', 'ADDSLOTSRANGE', `${bounds[index]}`, `${(bounds[index + 1] ?? 0) - 1}`)
    node.ask('CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1))
  }
  for (const node of nodes.slice(1)) {
    nodes[0]?.ask('CLUSTER', 'MEET', '127.0.0.1', String(node.port))
  }
  await clusterIsWhole({ nodes })
  return {
    nodes,
    url: `redis-cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`,
    async [Symbol.asyncDispose]() {
      await Promise.all(nodes.map((node) => node[Symbol.asyncDispose]()))
    },
  }
}

/** Waits until every node knows the others and all slots have a master. */
export async function clusterIsWhole({ nodes }: { nodes: readonly TestRedis[] }): Promise<void> {
  const isWhole = (node: TestRedis) => {
    const info = node.ask('CLUSTER', 'INFO')
    return /cluster_state:ok/.test(info) && /cluster_slots_ok:16384/.test(info)
  }
  await until('the cluster is whole', () => nodes.every(isWhole), 20_000)
}

/** Ends all servers. The preload calls it at the end of a run. */
export async function stopTestRedis(): Promise<void> {
  await watchdog?.end()
  watchdog = undefined
  running.clear()
}
