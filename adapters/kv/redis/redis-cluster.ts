/**
 * The key-value port on a Redis Cluster. It has one connection for each master. The calls of a
 * partition go to the master of its slot. So each call carries the run of its server, as on a
 * single server; node-redis' own cluster client cannot tell which server that is.
 */
import { type Kv, KvError } from '../../../src/ports/kv.ts'
import { encodeKey, partitionOf } from '../key.ts'
import type { OpenedKv } from '../opened.ts'
import { createKv } from '../shape.ts'
import {
  probeExpiry,
  probeKeyOf,
  type RedisOptions,
  redisDefaults,
  subscriptionEvents,
} from './redis.ts'
import type { Carrier } from './redis-carrier.ts'
import { emptyList } from './redis-frames.ts'
import { createListeners, type Subscriptions } from './redis-listeners.ts'
import { slotOf } from './redis-slots.ts'
import { redisKeyOf, redisStore } from './redis-store.ts'
import { RedisSubscriber, type Subscriber } from './redis-subscriber.ts'
import { addressOf, createTopology, type Topology } from './redis-topology.ts'

export type RedisClusterOptions = Omit<RedisOptions, 'url'> & {
  /** `redis-cluster:` or `rediss-cluster:`, with one host or several, separated by commas. */
  readonly url: string
}

/** Opens the KV without waiting for the servers. It reconnects by itself after each outage. */
export function openRedisCluster(options: RedisClusterOptions): OpenedKv {
  const { url, deadlineMs, namespace, onEvent } = {
    ...redisDefaults,
    onEvent: () => {},
    ...options,
  }
  const { addresses, urlOf } = readClusterUrl(url)
  const topology = createTopology({ addresses, urlOf, deadlineMs, onEvent })
  const carrier = clusterCarrier(topology)
  const listeners = createListeners((handlers) =>
    clusterSubscriptions(
      topology,
      (address, moved) =>
        new RedisSubscriber({
          ...handlers,
          url: urlOf(address),
          sharded: true,
          onMoved: moved,
          onConnection: subscriptionEvents(`Redis at ${address}`, onEvent),
          echo: (channel) => topology.server(address).command('SPUBLISH', channel, emptyList),
        }),
    ),
  )
  const kv = createKv(redisStore(carrier, listeners, namespace))
  const slotOfKey = (key: string[]) => slotOf(redisKeyOf(namespace, partitionOf(encodeKey(key))))
  return {
    kv,
    probe: () => probeMasters(kv, topology, slotOfKey),
    name: `Redis Cluster at ${addresses.join(', ')}`,
    shared: true,
    ready: carrier.ready,
    listening: listeners.ready,
  }
}

/** The most keys that are tried to find one on each master. */
const probesMax = 1000

/**
 * Writes to each master. Rejects if one refuses writes, or if none answers. A single master that is
 * away does not reject it.
 */
async function probeMasters(
  kv: Kv,
  topology: Topology,
  slotOfKey: (key: string[]) => number,
): Promise<void> {
  const keys = new Map<string, string[]>()
  const masters = topology.masters()
  for (let n = 0; n < probesMax && keys.size < masters; n += 1) {
    const address = topology.ofSlot(slotOfKey(probeKeyOf(n)))
    if (address !== undefined && !keys.has(address)) keys.set(address, probeKeyOf(n))
  }
  const probes = [...keys.values()].map((key) => kv.set(key, 0, probeExpiry))
  const reasons = (await Promise.allSettled(probes)).flatMap((probe) =>
    probe.status === 'rejected' ? [probe.reason as unknown] : [],
  )
  const refused = reasons.find((reason) => reason instanceof KvError && reason.refusesWrites)
  if (refused !== undefined) throw refused
  if (reasons.length === keys.size)
    throw reasons[0] ?? new KvError('not-sent', 'No server of the Redis Cluster is known')
}

function clusterCarrier(topology: Topology): Carrier {
  const run: Carrier['run'] = async (script, keys, args) => {
    const slot = slotOf(keys[0] ?? '')
    const address = topology.ofSlot(slot)
    if (address === undefined) {
      topology.doubt()
      throw new KvError('not-sent', 'No server of the Redis Cluster is known for this partition')
    }
    try {
      return await topology.server(address).run(script, keys, args)
    } catch (thrown) {
      const elsewhere = redirection(thrown, address)
      if (elsewhere === undefined) {
        topology.doubt()
        throw thrown
      }
      const server = topology.server(elsewhere.address)
      if (elsewhere.isAsking) return await server.runAsking(script, keys, args)
      topology.moved(slot, elsewhere.address)
      return await server.run(script, keys, args)
    }
  }
  return { sharded: true, run, ready: topology.ready, close: topology.close }
}

/**
 * The redirection in the answer of a server that does not have the key's slot; undefined if none.
 */
function redirection(thrown: unknown, answeredBy: string) {
  if (!(thrown instanceof KvError) || thrown.outcome !== 'refused') return undefined
  const [, word, host = '', port] =
    / answered (MOVED|ASK) \d+ (.*):(\d+)$/.exec(thrown.message) ?? []
  if (word === undefined) return undefined
  return { isAsking: word === 'ASK', address: addressOf(host, Number(port), answeredBy) }
}

/** Subscriptions with one subscriber for each master. A channel is on the server of its slot. */
function clusterSubscriptions(
  topology: Topology,
  subscribeTo: (address: string, moved: (channel: string) => void) => Subscriber,
): Subscriptions {
  const subscribers = new Map<string, Subscriber>()
  /** The server of each requested channel; undefined while it is not known. */
  const addresses = new Map<string, string | undefined>()

  const assign = (channel: string) => {
    const before = addresses.get(channel)
    const address = topology.ofSlot(slotOf(channel))
    if (address === before) return
    if (before !== undefined) subscribers.get(before)?.drop(channel)
    addresses.set(channel, address)
    if (address === undefined) return
    const subscriber = subscribers.get(address) ?? subscribeTo(address, onMoved)
    subscribers.set(address, subscriber)
    subscriber.want(channel)
  }
  const onMoved = (channel: string) => {
    if (!addresses.has(channel)) return
    addresses.set(channel, undefined)
    // A later look at the topology names the new server, which may be the same one.
    topology.doubt()
    setTimeout(() => addresses.has(channel) && assign(channel), 200)
  }
  topology.onChange(() => {
    for (const channel of addresses.keys()) assign(channel)
    for (const [address, subscriber] of subscribers) {
      if (!subscriber.idle()) continue
      subscriber.close()
      subscribers.delete(address)
    }
  })

  return {
    want(channel) {
      addresses.set(channel, undefined)
      assign(channel)
    },
    drop(channel) {
      const address = addresses.get(channel)
      addresses.delete(channel)
      if (address !== undefined) subscribers.get(address)?.drop(channel)
    },
    ready: () =>
      [...subscribers.values()].every((subscriber) => subscriber.ready()) &&
      [...addresses.values()].every((address) => address !== undefined),
    close() {
      addresses.clear()
      for (const subscriber of subscribers.values()) subscriber.close()
    },
  }
}

/**
 * Reads the URL of a Cluster.
 * @returns The addresses, and a function that makes the URL of one server.
 * @throws TypeError The URL cannot be read, or names a database other than 0, the only one of a
 *   Cluster.
 */
export function readClusterUrl(url: string) {
  const pattern = /^(rediss?)(?:-cluster)?:\/\/(?:([^@/]*)@)?([^/?#@]+)(?:\/(\d*))?$/
  const [, scheme, access, hosts = '', database = ''] = pattern.exec(url) ?? []
  if (scheme === undefined) {
    throw new TypeError(
      'A Redis Cluster URL reads redis-cluster://user:password@host:port,host:port',
    )
  }
  if (Number(database) !== 0) {
    throw new TypeError(`A Redis Cluster has no database ${database}: leave it out of the URL`)
  }
  const addresses = hosts.split(',').map((host) => (/:\d+$/.test(host) ? host : `${host}:6379`))
  const urlOf = (address: string) =>
    `${scheme}://${access === undefined ? '' : `${access}@`}${address}`
  return { addresses, urlOf }
}
