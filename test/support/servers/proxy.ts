/**
 * A TCP proxy on 127.0.0.1 that fails on demand. It stands between a service and one of its
 * servers.
 */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

export type TestProxy = AsyncDisposable & {
  readonly port: number
  /** Milliseconds by which every chunk is delayed, in each direction. */
  delayMs: number
  /** The port that new connections lead to. Open connections keep their target. */
  targetPort: number
  /**
   * Receives each chunk of the server before the client does. `cut` drops it and cuts the
   * connections.
   */
  onServerBytes: ((chunk: Buffer) => 'pass' | 'cut' | Uint8Array) | undefined
  /** The number of connections made so far. */
  readonly made: number
  /** The number of open connections. */
  connections(): number
  /** Resets every connection. */
  cut(): void
  /** Forwards nothing in either direction, and closes nothing, like a network that went silent. */
  freeze(): void
  /** Forwards the withheld chunks, in order. */
  thaw(): void
  /**
   * Makes open connections silent for ever, while new connections work, like a lost route. `chosen`
   * selects the connections.
   */
  silence(chosen?: () => boolean): void
  /** Drops each later chunk of the servers of open connections that `chosen` selects. */
  swallow(chosen: (chunk: Buffer) => boolean): void
  /** Refuses new connections. Open connections stay. */
  refuse(): void
  accept(): Promise<void>
}

/**
 * The function `setTimeout` under another name, because importing it would shadow the global one.
 */
export type { TestProxy as Proxy }

type Pair = {
  readonly client: Socket
  readonly server: Socket
  silent: boolean
  isSwallowed: (chunk: Buffer) => boolean
}

export async function startProxy(targetPort: number): Promise<TestProxy> {
  const pairs = new Set<Pair>()
  let withheld: (() => void)[] | undefined
  let made = 0

  /**
   * Runs actions in order, even if the delay becomes shorter, because the proxy carries a stream.
   */
  const delayed: { readonly due: number; readonly action: () => void }[] = []
  const act = (action: () => void) => {
    if (withheld === undefined) action()
    else withheld.push(action)
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
      const decision = look(chunk)
      if (decision === 'pass') later(() => to.write(chunk))
      else if (decision === 'cut') proxy.cut()
      else if (decision !== 'drop') later(() => to.write(decision))
    })
    from.on('error', () => {})
    from.on('close', () => pair.silent || later(() => to.destroy()))
  }
  const onClient = (client: Socket) => {
    const server = connect({ port: proxy.targetPort, host: '127.0.0.1', noDelay: true })
    const pair: Pair = { client, server, silent: false, isSwallowed: () => false }
    client.setNoDelay(true)
    made += 1
    pairs.add(pair)
    forward(pair, client, () => 'pass')
    forward(pair, server, (chunk) =>
      pair.isSwallowed(chunk) ? 'drop' : (proxy.onServerBytes?.(chunk) ?? 'pass'),
    )
    // A silent pair stays open until the end, because the server does not learn that the client
    // closed.
    client.on('close', () => pair.silent || pairs.delete(pair))
  }
  const listen = async (port: number) => {
    const started = createServer(onClient).listen(port, '127.0.0.1')
    await once(started, 'listening')
    return started
  }

  let listener = await listen(0)
  const address = listener.address()
  if (address === null || typeof address === 'string') throw new Error('The proxy has no port')
  const { port } = address
  const proxy: TestProxy = {
    port,
    delayMs: 0,
    targetPort,
    onServerBytes: undefined,
    get made() {
      return made
    },
    connections: () => pairs.size,
    cut() {
      for (const { client, server } of pairs) {
        client.resetAndDestroy()
        server.destroy()
      }
    },
    freeze() {
      withheld ??= []
    },
    thaw() {
      const actions = withheld ?? []
      withheld = undefined
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
