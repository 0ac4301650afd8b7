/**
 * A client of node-redis that can be made anew: on another connection, to whatever the address leads to
 * by then. One that gives no sign of life is made anew by itself; node-redis' own time-out would count
 * what is sent as such a sign, and a stall of this process as silence.
 */
import { createClient } from 'redis'
import { equalJitterMs } from '../../../src/mechanics/backoff.ts'
import { deadline, usableNow } from '../../../src/mechanics/loop-delay.ts'

/** Milliseconds of silence after which a connection is given up; a ping is due well before. */
const silenceMs = 3000
const pingMs = 1000
/** Milliseconds until a connect is given up, the pause before it included. */
const connectMs = 2000
/** Longer than ours: node-redis' own counts stalls of this process, too. */
const connectTimeoutMs = 30_000

/** Waits before a reconnect; spread, so that nodes do not come back in step. */
const reconnects = { firstMs: 50, maxMs: 1000 }

/** node-redis' own defaults wait, and give up, for ever. */
const optionsOf = (url: string) => ({
  url,
  disableOfflineQueue: true,
  pingInterval: pingMs,
  // Its own, of 5 s, is a timer for each command, and covers the time before it is sent only.
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
  /** Ends the connection, whatever waits on it, and makes another. */
  renew(): void
  /** Records that the server answered something. */
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
  /** Of `usableNow`. */
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
