/** A TCP proxy on 127.0.0.1 that fails on demand: between a service and what it depends on. */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

export type TestProxy = AsyncDisposable & {
  readonly port: number
  /** Milliseconds every chunk is held back, each way. */
  delayMs: number
  /** Where new connections lead; those that are open stay where they are. */
  targetPort: number
  /** Looks at what the server sends, before the client gets it; `cut` withholds it and cuts. */
  onServerBytes: ((chunk: Buffer) => 'pass' | 'cut' | Uint8Array) | undefined
  /** Connections made so far. */
  readonly made: number
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
  /** From now on, what the servers of open connections send and `chosen` names does not arrive. */
  swallow(chosen: (chunk: Buffer) => boolean): void
  /** Refuses new connections; those that are open stay. */
  refuse(): void
  accept(): Promise<void>
}

/** By its first name; importing that shadows a global. */
export type { TestProxy as Proxy }

type Pair = {
  readonly client: Socket
  readonly server: Socket
  silent: boolean
  isSwallowed: (chunk: Buffer) => boolean
}

export async function startProxy(targetPort: number): Promise<TestProxy> {
  const pairs = new Set<Pair>()
  let held: (() => void)[] | undefined
  let made = 0

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
  const forward = (
    pair: Pair,
    from: Socket,
    look: (chunk: Buffer) => 'pass' | 'cut' | 'drop' | Uint8Array,
  ) => {
    const to = from === pair.client ? pair.server : pair.client
    from.on('data', (data) => {
      const chunk = typeof data === 'string' ? Buffer.from(data) : data
      if (pair.silent) return
      const seen = look(chunk)
      if (seen === 'pass') later(() => to.write(chunk))
      else if (seen === 'cut') proxy.cut()
      else if (seen !== 'drop') later(() => to.write(seen))
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
