/**
 * A TCP proxy on 127.0.0.1 that fails on demand, between a service and a server that it depends on.
 */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

export type TestProxy = AsyncDisposable & {
  readonly port: number
  /** Milliseconds by which each chunk is delayed, in both directions. */
  delayMs: number
  /** Port that new connections lead to. Open connections keep theirs. */
  targetPort: number
  /**
   * Called with each chunk of the server before the client gets it. `pass` forwards it, `cut` drops
   * it and cuts all connections, and bytes replace it.
   */
  onServerBytes: ((chunk: Buffer) => 'pass' | 'cut' | Uint8Array) | undefined
  /** Number of connections that clients have made. */
  readonly connectionsMade: number
  /** Number of open connections. */
  connections(): number
  /** Resets every connection. */
  cut(): void
  /**
   * Holds everything back in both directions and closes nothing, like a network that became silent.
   */
  freeze(): void
  /** Forwards everything that was held back, in order. */
  thaw(): void
  /**
   * Makes open connections silent for ever, while new ones work, like a lost route. `chosen`
   * decides for each connection.
   */
  silence(chosen?: () => boolean): void
  /**
   * From now on, drops the chunks of the server for which `chosen` is true, on open connections.
   */
  swallow(chosen: (chunk: Buffer) => boolean): void
  /** Refuses new connections and keeps open ones. */
  refuse(): void
  accept(): Promise<void>
}

/** The same type under a short name, which shadows a global when it is imported. */
export type { TestProxy as Proxy }

type Pair = {
  readonly client: Socket
  readonly server: Socket
  silent: boolean
  isSwallowed: (chunk: Buffer) => boolean
}

export async function startProxy(targetPort: number): Promise<TestProxy> {
  const pairs = new Set<Pair>()
  let heldActions: (() => void)[] | undefined
  let connectionsMade = 0

  /**
   * Delayed actions in order, also if the delay becomes shorter, because a connection is a stream.
   */
  const delayed: { readonly due: number; readonly action: () => void }[] = []
  const act = (action: () => void) => {
    if (heldActions === undefined) action()
    else heldActions.push(action)
  }
  const actOnDue = () => {
    for (let [first] = delayed; first !== undefined; [first] = delayed) {
      const leftMs = first.due - performance.now()
      if (leftMs > 0) {
        setTimeout(actOnDue, leftMs)
        return
      }
      delayed.shift()
      act(first.action)
    }
  }
  const later = (action: () => void) => {
    if (proxy.delayMs === 0 && delayed.length === 0) {
      act(action)
      return
    }
    const due = Math.max(performance.now() + proxy.delayMs, delayed.at(-1)?.due ?? 0)
    delayed.push({ due, action })
    if (delayed.length === 1) setTimeout(actOnDue, proxy.delayMs)
  }
  const forward = (
    pair: Pair,
    from: Socket,
    look: (chunk: Buffer) => 'pass' | 'cut' | 'drop' | Uint8Array,
  ) => {
    const to = from === pair.client ? pair.server : pair.client
    from.on('data', (data) => {
      const chunk = typeof data === 'string' ? Buffer.from(data) : data
      if (pair.silent) return
      const verdict = look(chunk)
      if (verdict === 'pass') later(() => to.write(chunk))
      else if (verdict === 'cut') proxy.cut()
      else if (verdict !== 'drop') later(() => to.write(verdict))
    })
    from.on('error', () => {})
    from.on('close', () => pair.silent || later(() => to.destroy()))
  }
  const onClient = (client: Socket) => {
    const server = connect({ port: proxy.targetPort, host: '127.0.0.1', noDelay: true })
    const pair: Pair = { client, server, silent: false, isSwallowed: () => false }
    client.setNoDelay(true)
    connectionsMade += 1
    pairs.add(pair)
    forward(pair, client, () => 'pass')
    forward(pair, server, (chunk) =>
      pair.isSwallowed(chunk) ? 'drop' : (proxy.onServerBytes?.(chunk) ?? 'pass'),
    )
    // A silent pair is kept until the end, because the server does not know that its client left.
    client.on('close', () => pair.silent || pairs.delete(pair))
  }
  const listen = async (port: number) => {
    const started = createServer(onClient).listen(port, '127.0.0.1')
    await once(started, 'listening')
    return started
  }

  let listener = await listen(0)
  const address = listener.address()
  if (address === null || typeof address === 'string') throw new Error('No port was given')
  const { port } = address
  const proxy: TestProxy = {
    port,
    delayMs: 0,
    targetPort,
    onServerBytes: undefined,
    get connectionsMade() {
      return connectionsMade
    },
    connections: () => pairs.size,
    cut() {
      for (const { client, server } of pairs) {
        client.resetAndDestroy()
        server.destroy()
      }
    },
    freeze() {
      heldActions ??= []
    },
    thaw() {
      const actions = heldActions ?? []
      heldActions = undefined
      for (const action of actions) action()
    },
    silence(chosen = () => true) {
      for (const pair of pairs) pair.silent ||= chosen()
    },
    swallow(chosen) {
      for (const pair of pairs) pair.isSwallowed = chosen
    },
    refuse() {
      listener.close()
    },
    async accept() {
      if (!listener.listening) listener = await listen(port)
    },
    async [Symbol.asyncDispose]() {
      listener.close()
      proxy.cut()
      proxy.thaw()
    },
  }
  return proxy
}
