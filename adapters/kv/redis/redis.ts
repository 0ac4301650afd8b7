/** The key-value port on a single Redis server, through node-redis. */

import type { OnKvEvent, OpenedKv } from '../opened.ts'
import { createKv } from '../shape.ts'
import { type CarrierOptions, ServerConnection } from './redis-connection.ts'
import { reasonOf } from './redis-failure.ts'
import { emptyList } from './redis-frames.ts'
import { type ChannelHandlers, createListeners } from './redis-listeners.ts'
import { redisStore } from './redis-store.ts'
import { NotReceiving, RedisSubscriber } from './redis-subscriber.ts'

export type RedisOptions = {
  /** `redis:` or `rediss:`, with the index of the database as its path. */
  readonly url: string
  /** Milliseconds a call may take; then it rejects with a KvError. */
  readonly deadlineMs?: number
  /** What the names of keys and channels begin with. */
  readonly namespace?: string
  readonly onEvent?: OnKvEvent
}

export const redisDefaults = { deadlineMs: 100, namespace: 'turnlog' }

/** Returns at once: the server may be away now, and may go and come back later. */
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
        // A server that is no cluster moves nothing.
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

/** Host, port and database: a URL without its secrets. */
export function serverOf(url: string): string {
  const { host, pathname } = new URL(url)
  return host + (pathname === '/' ? '' : pathname)
}

/**
 * What a probe writes is a partition of its own, and gone when the next one comes: a server that is
 * full may still take changes of what it has.
 */
export const probeKeyOf = (n: number): string[] => ['probe', `${processName}-${n}`]
export const probeExpiry = { expireIn: 1 }
const processName = crypto.randomUUID()

/** Tells the operator once when changes go unheard, and once when they are heard again. */
export function subscriptionEvents(
  serverName: string,
  onEvent: OnKvEvent,
): (lost: unknown) => void {
  let isLost = false
  return (lost) => {
    if (isLost === (lost !== undefined)) return
    isLost = lost !== undefined
    if (lost instanceof NotReceiving) {
      const what = `The connection that hears changes on ${serverName} had stopped hearing`
      onEvent({ type: 'deaf', message: `${what}, and is made anew` })
      return
    }
    onEvent(
      isLost
        ? { type: 'hints-lost', message: `Changes on ${serverName} go unheard: ${reasonOf(lost)}` }
        : { type: 'hints-arrive', message: `Changes on ${serverName} are heard again` },
    )
  }
}
