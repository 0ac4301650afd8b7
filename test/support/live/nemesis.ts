/**
 * Three nodes behind links that fail, and the faults of nodes, links and servers. Every fault ends
 * by itself.
 */
import { type Node, startNode } from '../servers/node.ts'
import type { TestPostgres } from '../servers/postgres.ts'
import { startProxy, type TestProxy } from '../servers/proxy.ts'
import { stablePort, type TestRedis } from '../servers/redis.ts'

export const links = ['client', 'database', 'cache'] as const
export type LinkName = (typeof links)[number]

/** A node that can be restarted on its port, with a proxy on each of its links. */
export class Served {
  readonly links: Partial<Record<LinkName, TestProxy>>
  readonly #env: Record<string, string>
  readonly #args: readonly string[]
  /** Failures of the node that no injected fault explains. */
  readonly #faults: string[] = []
  readonly #logs: Node['log'][] = []
  #isEnding = false
  #node: Node

  private constructor(
    proxies: Partial<Record<LinkName, TestProxy>>,
    env: Record<string, string>,
    args: readonly string[],
    node: Node,
  ) {
    this.links = proxies
    this.#env = env
    this.#args = args
    this.#node = node
    this.#watch(node)
  }

  static async start(
    databaseUrl: string,
    cacheUrl: string | undefined,
    args: readonly string[],
  ): Promise<Served> {
    const port = await stablePort()
    const proxies: Partial<Record<LinkName, TestProxy>> = { client: await startProxy(port) }
    const through = async (name: LinkName, target: string) => {
      const url = new URL(target)
      const proxy = await startProxy(Number(url.port))
      proxies[name] = proxy
      url.hostname = '127.0.0.1'
      url.port = String(proxy.port)
      return url.href
    }
    const env = {
      PORT: String(port),
      DATABASE_URL: await through('database', databaseUrl),
      ...(cacheUrl === undefined ? {} : { REDIS_URL: await through('cache', cacheUrl) }),
    }
    return new Served(proxies, env, args, await startNode(env, args))
  }

  /** The address for clients, behind the proxy of the client link. */
  get url(): string {
    return `http://127.0.0.1:${this.links.client?.port}`
  }

  kill(signal: NodeJS.Signals): void {
    this.#node.kill(signal)
  }

  /** Ends the node with a signal, and starts it again `afterMs` milliseconds later. */
  async restart(signal: NodeJS.Signals, afterMs: number): Promise<void> {
    this.#isEnding = true
    this.#node.kill(signal)
    const code = await this.#node.exited
    if (signal === 'SIGTERM' && code !== 0) this.#faults.push(`its drain ended with ${code}`)
    await Bun.sleep(afterMs)
    this.#isEnding = false
    this.#node = await startNode(this.#env, this.#args)
    this.#watch(this.#node)
  }

  /**
   * Failures that no injected fault explains: the node ended by itself, or logged a fault of its
   * own.
   */
  get faults(): string[] {
    const logged = this.#logs.flatMap((log) =>
      log()
        .split('\n')
        .filter((line) => ownFaults.test(line)),
    )
    return [...this.#faults, ...logged]
  }

  #watch(node: Node): void {
    this.#logs.push(node.log)
    void node.exited.then((code) => {
      if (!this.#isEnding) this.#faults.push(`it ended by itself with ${code}:\n${node.log()}`)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnding = true
    await this.#node[Symbol.asyncDispose]()
    for (const proxy of Object.values(this.links)) await proxy[Symbol.asyncDispose]()
  }
}

const ownFaults = /"event":"(request-failed|head-went-back)"/

/** A fault. `run` resolves when the fault has ended, with false if no target was free. */
export type Fault = { readonly name: string; run(): Promise<boolean> }

export type Targets = {
  readonly nodes: readonly Served[]
  readonly redis: TestRedis | undefined
  /** A Postgres of the run's own, which may be killed. */
  readonly postgres: TestPostgres | undefined
  /** Ends every session of the database. */
  endSessions(): Promise<void>
  readonly random: () => number
  /** A factor of how long each fault lasts. */
  readonly pace: number
}

/** All kinds of faults. Each runs on a free target. */
export function faultsOf({ nodes, redis, postgres, endSessions, random, pace }: Targets): Fault[] {
  const between = (low: number, high: number) => (low + random() * (high - low)) * pace
  const busy = new Set<unknown>()
  /**
   * Each part has one fault at a time. A frozen node can have a cut link, because the two are
   * different parts.
   */
  const on = async <T>(
    targets: readonly T[],
    partsOf: (target: T) => readonly unknown[],
    work: (target: T) => Promise<void>,
  ) => {
    const free = targets.filter((target) => !partsOf(target).some((part) => busy.has(part)))
    const target = free[Math.floor(random() * free.length)]
    if (target === undefined) return false
    const parts = partsOf(target)
    for (const part of parts) busy.add(part)
    try {
      await work(target)
    } finally {
      for (const part of parts) busy.delete(part)
    }
    return true
  }
  const onNode = (name: string, work: (node: Served) => Promise<void>): Fault => ({
    name,
    run: () => on(nodes, (node) => [node], work),
  })
  /** A restart also occupies the database link, because a start needs its database to succeed. */
  const onRestart = (name: string, work: (node: Served) => Promise<void>): Fault => ({
    name,
    run: () => on(nodes, (node) => [node, node.links.database], work),
  })
  const linkFault = (name: string, work: (proxy: TestProxy) => Promise<void>): Fault[] =>
    links.flatMap((link) => {
      const proxies = nodes.flatMap((node) => node.links[link] ?? [])
      if (proxies.length === 0) return []
      return [{ name: `${link} link ${name}`, run: () => on(proxies, (proxy) => [proxy], work) }]
    })
  const onServer = <S>(
    server: S | undefined,
    name: string,
    work: (server: S) => Promise<void>,
  ): Fault[] =>
    server === undefined ? [] : [{ name, run: () => on([server], () => [server], work) }]

  return [
    onRestart('node killed with -9', (node) => node.restart('SIGKILL', between(50, 500))),
    onRestart('node drained', (node) => node.restart('SIGTERM', 0)),
    onNode('node frozen', async (node) => {
      node.kill('SIGSTOP')
      await Bun.sleep(between(300, 3500))
      node.kill('SIGCONT')
    }),
    // Excluded during a fault of the server, because a killed or frozen server cannot end sessions.
    {
      name: 'Postgres sessions ended',
      run: () =>
        on(
          [endSessions],
          (end) => [postgres ?? end],
          (end) => end(),
        ),
    },
    ...onServer(postgres, 'Postgres killed', async (server) => {
      await server.kill()
      await Bun.sleep(between(100, 1000))
      await server.restart()
    }),
    ...onServer(postgres, 'Postgres frozen', async (server) => {
      server.freeze()
      await Bun.sleep(between(200, 2500))
      server.thaw()
    }),
    ...onServer(redis, 'Redis killed', async (server) => {
      await server.kill()
      await Bun.sleep(between(200, 2000))
      await server.restart()
    }),
    ...onServer(redis, 'Redis back to an older dump', async (server) => {
      const dump = server.dump()
      await Bun.sleep(between(200, 2000))
      await server.restart({ dump })
    }),
    ...onServer(redis, 'Redis flushed', async (server) => void server.ask('FLUSHALL')),
    ...onServer(redis, 'Redis frozen', async (server) => {
      server.freeze()
      await Bun.sleep(between(200, 2500))
      server.thaw()
    }),
    ...linkFault('cut', async (proxy) => {
      for (let times = 1 + Math.floor(random() * 3); times > 0; times -= 1) {
        proxy.cut()
        await Bun.sleep(between(20, 200))
      }
    }),
    ...linkFault('half-open', async (proxy) => {
      // Either all or about half of the connections on the link fall silent.
      const part = random() < 0.5 ? 1 : 0.5
      proxy.silence(() => random() < part)
    }),
    ...linkFault('silent', async (proxy) => {
      proxy.freeze()
      await Bun.sleep(between(300, 3000))
      if (random() < 0.5) proxy.cut()
      proxy.thaw()
    }),
    ...linkFault('delayed', async (proxy) => {
      proxy.delayMs = between(20, 200)
      await Bun.sleep(between(500, 2500))
      proxy.delayMs = 0
    }),
    ...linkFault('refused', async (proxy) => {
      proxy.refuse()
      proxy.cut()
      await Bun.sleep(between(200, 1500))
      await proxy.accept()
    }),
  ]
}

/**
 * Runs faults in random order, `faultsAtOnce` at a time, for `forMs` milliseconds. Resolves
 * when all have ended, with how often each happened.
 */
export async function torment(
  targets: Targets,
  { faultsAtOnce, forMs }: { faultsAtOnce: number; forMs: number },
): Promise<Map<string, number>> {
  const until = performance.now() + forMs
  const faults = faultsOf(targets)
  const done = new Map(faults.map(({ name }) => [name, 0]))
  // Faults of nodes come first, so that a short run has them, too.
  let bag = faults.filter(({ name }) => name.startsWith('node'))
  const runFaults = async () => {
    while (performance.now() < until) {
      if (bag.length === 0) bag = [...faults]
      const [fault] = bag.splice(Math.floor(targets.random() * bag.length), 1)
      if (fault === undefined) break
      if (await fault.run()) done.set(fault.name, (done.get(fault.name) ?? 0) + 1)
      await Bun.sleep((50 + targets.random() * 300) * targets.pace)
    }
  }
  await Promise.all(Array.from({ length: faultsAtOnce }, runFaults))
  return done
}
