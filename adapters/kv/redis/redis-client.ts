/**
 * A node-redis client that can be renewed: replaced by one on a new connection, to the server that
 * the address leads to by then. A client renews itself after a time of silence. The time-out of
 * node-redis is no help: it counts sent bytes as a sign of life, and a stall of this process as
 * silence.
 */
import { createClient } from 'redis'
import { equalJitterMs } from '../../../src/mechanics/backoff.ts'
import { deadline, usableNow } from '../../../src/mechanics/loop-delay.ts'

/** Milliseconds of silence after which a connection is replaced. Pings are more frequent. */
const silenceMs = 3000
const pingMs = 1000
/** Milliseconds that a connect may take. The pause before it counts. */
const connectMs = 2000
/**
 * Milliseconds. It is longer than `connectMs`, because node-redis' timer also counts stalls of this
 * process.
 */
const connectTimeoutMs = 30_000

/** Waits before a reconnect. They vary, so that nodes do not reconnect at the same moment. */
const reconnects = { firstMs: 50, maxMs: 1000 }

/**
 * The options of node-redis. With its defaults, some waits never end, and some retries stop for
 * ever.
 */
const optionsOf = (url: string) => ({
  url,
  disableOfflineQueue: true,
  pingInterval: pingMs,
  // The default of 5 s makes a timer for each command, and covers only the time before it is sent.
  commandOptions: { timeout: 0 },
  socket: {
    connectTimeout: connectTimeoutMs,
    reconnectStrategy: (attempts: number) => equalJitterMs(reconnects, attempts),
  },
})

const connectTo = (url: string) => createClient(optionsOf(url))

export type RenewableClient = {
  /** The current client: `renew` replaces it. */
  readonly current: ReturnType<typeof connectTo>
  connect(): void
  /** Ends the connection, even if commands wait for answers on it, and makes another one. */
  renew(): void
  /** Records that the server has answered. */
  alive(): void
  close(): void
}

export function createRenewableClient(
  url: string,
  on: {
    connect?(): void
    ready(): void
    error(thrown: unknown): void
    shardedChannelMoved?(channel: string): void
  },
): RenewableClient {
  let isConnecting = false
  /** The time of `usableNow` at the last answer. */
  let aliveAt = 0
  let stop = () => {}

  const watch = (ms = silenceMs) => {
    stop()
    const startedAt = usableNow()
    stop = deadline(ms, () => {
      const quietMs = usableNow() - aliveAt
      if (aliveAt > startedAt && quietMs < silenceMs) return watch(silenceMs - quietMs)
      renew()
      on.error(new Error('it gives no sign of life'))
    })
  }
  const make = () => {
    const client = connectTo(url)
    let isConnected = false
    const ifCurrent = (act: () => void) => () => {
      if (client !== current || !isConnecting) return
      watch(isConnected || client.isReady ? silenceMs : connectMs)
      act()
    }
    return client
      .on('connect', () => {
        isConnected = true
        ifCurrent(() => on.connect?.())()
      })
      .on('ready', ifCurrent(on.ready))
      .on(
        'ping-interval',
        ifCurrent(() => {}),
      )
      .on('error', (thrown) => {
        isConnected = false
        ifCurrent(() => on.error(thrown))()
      })
      .on('sharded-channel-moved', (channel: string) =>
        ifCurrent(() => on.shardedChannelMoved?.(channel))(),
      )
  }
  let current = make()

  const end = () => {
    stop()
    if (current.isOpen) current.destroy()
  }
  const connect = () => {
    isConnecting = true
    watch(connectMs)
    const client = current
    client.connect().catch((thrown) => {
      if (client === current && isConnecting) on.error(thrown)
    })
  }
  const renew = () => {
    if (!isConnecting) return
    const before = current
    current = make()
    stop()
    if (before.isOpen) before.destroy()
    connect()
  }

  return {
    get current() {
      return current
    },
    connect,
    renew,
    alive() {
      aliveAt = usableNow()
    },
    close() {
      isConnecting = false
      end()
    },
  }
}
