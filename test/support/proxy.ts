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
  /**
   * What is open now goes silent for good, while new connections work: a lost route. `chosen` is
   * asked of each connection.
   */
  silence(chosen?: () => boolean): void
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

  /** In order, also where the delay becomes shorter meanwhile: what a proxy carries is a stream. */
  const delayed: { readonly due: number; readonly action: () => void }[] = []
  const act = (action: () => void) => {
    if (held === undefined) action()
    else held.push(action)
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
    silence(chosen = () => true) {
      for (const pair of pairs) pair.silent ||= chosen()
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
