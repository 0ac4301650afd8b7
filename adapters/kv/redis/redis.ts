/** The key-value port on a single Redis server, through node-redis. */

import type { OnKvEvent, OpenedKv } from '../opened.ts'
import { createKv } from '../shape.ts'
import type { CarrierOptions } from './redis-carrier.ts'
import { ServerConnection } from './redis-connection.ts'
import { reasonOf } from './redis-failure.ts'
import { emptyList } from './redis-frames.ts'
import { type ChannelHandlers, createListeners } from './redis-listeners.ts'
import { redisStore } from './redis-store.ts'
import { NotReceiving, RedisSubscriber } from './redis-subscriber.ts'

export type RedisOptions = {
  /** `redis:` or `rediss:`, with the index of the database as its path. */
  readonly url: string
  /** Milliseconds after which a call rejects with a KvError. @default 100 */
  readonly deadlineMs?: number
  /** The beginning of all names of keys and channels. @default turnlog */
  readonly namespace?: string
  readonly onEvent?: OnKvEvent
}

export const redisDefaults = { deadlineMs: 100, namespace: 'turnlog' }

/** Opens the KV without waiting for the server. It reconnects by itself after each outage. */
export function openRedis(options: RedisOptions): OpenedKv {
  const { url, deadlineMs, namespace, onEvent } = {
    ...redisDefaults,
    onEvent: () => {},
    ...options,
  }
  const serverName = `Redis at ${serverOf(url)}`
  const settings: CarrierOptions = { serverName, deadlineMs, onEvent }
  const carrier = new ServerConnection(url, settings)
  const onConnection = subscriptionEvents(serverName, onEvent)
  const listeners = createListeners(
    (handlers: ChannelHandlers) =>
      new RedisSubscriber({
        ...handlers,
        url,
        sharded: false,
        // Only a Cluster moves channels.
        onMoved: () => {},
        onConnection,
        echo: (channel) => carrier.command('PUBLISH', channel, emptyList),
      }),
  )
  const kv = createKv(redisStore(carrier, listeners, namespace))
  return {
    kv,
    name: serverName,
    shared: true,
    probe: () => kv.set(probeKeyOf(0), 0, probeExpiry),
    ready: () => carrier.ready(),
    listening: listeners.ready,
  }
}

/** The host, port and database of a URL, without its secrets. */
export function serverOf(url: string): string {
  const { host, pathname } = new URL(url)
  return host + (pathname === '/' ? '' : pathname)
}

/**
 * The key of a probe. Its entry is a partition of its own, which has expired before the next probe:
 * a full server may still accept changes of existing keys, and must be asked to store a new one.
 */
export const probeKeyOf = (n: number): string[] => ['probe', `${processName}-${n}`]
export const probeExpiry = { expireIn: 1 }
const processName = crypto.randomUUID()

/** Reports to the operator once when changes no longer arrive, and once when they arrive again. */
export function subscriptionEvents(
  serverName: string,
  onEvent: OnKvEvent,
): (lost: unknown) => void {
  let isLost = false
  return (lost) => {
    if (isLost === (lost !== undefined)) return
    isLost = lost !== undefined
    if (lost instanceof NotReceiving) {
      const finding = `The connection that receives changes from ${serverName} had stopped receiving`
      onEvent({ type: 'deaf', message: `${finding}, and is made again` })
      return
    }
    onEvent(
      isLost
        ? {
            type: 'hints-lost',
            message: `Changes from ${serverName} do not arrive: ${reasonOf(lost)}`,
          }
        : { type: 'hints-arrive', message: `Changes from ${serverName} arrive again` },
    )
  }
}
