/** A TCP proxy on 127.0.0.1 that fails on demand: between a service and what it depends on. */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

export type TestProxy = AsyncDisposable & {
  readonly port: number
  /** Milliseconds every chunk is held back, each way. */
  delayMs: number
  /** Looks at what the server sends, before the client gets it; `cut` withholds it and cuts. */
  onServerBytes: ((chunk: Buffer) => 'pass' | 'cut') | undefined
  /** The connections that are open now. */
  connections(): number
  /** Resets every connection. */
  cut(): void
  /** Forwards nothing, either way, and closes nothing: a network that went silent. */
  freeze(): void
  /** Forwards what was held, in order. */
  thaw(): void
  /** What is open now goes silent for good, while new connections work: a lost route. */
  silence(): void
  /** Refuses new connections; those that are open stay. */
  refuse(): void
  accept(): Promise<void>
}

/** By its first name; importing that shadows a global. */
export type { TestProxy as Proxy }

type Pair = { readonly client: Socket; readonly server: Socket; silent: boolean }

export async function startProxy(targetPort: number): Promise<TestProxy> {
  const pairs = new Set<Pair>()
  let held: (() => void)[] | undefined

  const later = (action: () => void) => {
    const act = () => (held === undefined ? action() : held.push(action))
    if (proxy.delayMs > 0) setTimeout(act, proxy.delayMs)
    else act()
  }
  const forward = (pair: Pair, from: Socket, look: (chunk: Buffer) => 'pass' | 'cut') => {
    const to = from === pair.client ? pair.server : pair.client
    from.on('data', (data) => {
      const chunk = typeof data === 'string' ? Buffer.from(data) : data
      if (pair.silent) return
      if (look(chunk) === 'pass') later(() => to.write(chunk))
      else proxy.cut()
    })
    from.on('error', () => {})
    from.on('close', () => pair.silent || later(() => to.destroy()))
  }
  const onClient = (client: Socket) => {
    const server = connect({ port: targetPort, host: '127.0.0.1', noDelay: true })
    const pair = { client, server, silent: false }
    client.setNoDelay(true)
    pairs.add(pair)
    forward(pair, client, () => 'pass')
    forward(pair, server, (chunk) => proxy.onServerBytes?.(chunk) ?? 'pass')
    // A silent pair stays until the end, for the server has heard nothing of it.
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
    onServerBytes: undefined,
    connections: () => pairs.size,
    cut() {
      for (const { client, server } of pairs) {
        client.resetAndDestroy()
        server.destroy()
      }
    },
    freeze() {
      held ??= []
    },
    thaw() {
      const actions = held ?? []
      held = undefined
      for (const action of actions) action()
    },
    silence() {
      for (const pair of pairs) pair.silent = true
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
