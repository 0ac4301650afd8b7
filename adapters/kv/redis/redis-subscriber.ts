/**
 * One connection that hears changes, of thousands of channels. What is wanted and what the server has
 * confirmed are kept apart, and brought together one round at a time. A connection that hears nothing
 * is held to something published on purpose: it may answer pings, and have stopped hearing.
 */
import type { Buffer } from 'node:buffer'
import { deadline } from '../../../src/mechanics/loop-delay.ts'
import { createRenewableClient } from './redis-client.ts'

export type Subscriber = {
  want(channel: string): void
  drop(channel: string): void
  /** Whether nothing is wanted of it. */
  idle(): boolean
  /** Whether it is connected, or has no reason to be. */
  ready(): boolean
  close(): void
}

export type SubscriberOptions = {
  readonly url: string
  /** Whether channels live on the server of their slot. */
  readonly sharded: boolean
  onMessage(channel: string, message: Buffer): void
  /** From now on all of the channel is heard; before, something may have been missed. */
  onHeard(channel: string): void
  /** The channel is not this server's. It is dropped. */
  onMoved(channel: string): void
  /** Connected, or lost with a reason: a `Deaf`, where it had stopped hearing. */
  onConnection(lost: unknown): void
  /** Publishes what no listener takes for a change, over another connection. */
  echo(channel: string): Promise<unknown>
}

/** A message that was published to test the connection did not arrive. */
export class Deaf extends Error {
  override readonly name = 'Deaf'
}

/** Channels in one SUBSCRIBE, or SSUBSCRIBEs under way at a time. */
const channelsPerRound = 1000
const roundRetryMs = 250
/** Milliseconds of silence after which something is published, and until it must have arrived. */
const echoEveryMs = 2000
const echoWithinMs = 1000

export function createSubscriber(options: SubscriberOptions): Subscriber {
  const { sharded, onMessage, onHeard, onMoved, onConnection } = options
  const wanted = new Set<string>()
  const registered = new Set<string>()
  /** Wanted and registered may differ for these. */
  const changed = new Set<string>()
  let isConnecting = false
  /** The connection stands, and the server will not tell what is wanted. */
  let isRefused = false
  let isRunning = false
  let isClosed = false
  /** Messages of this connection. */
  let heard = 0
  let heardBefore = 0
  let listening: ReturnType<typeof setTimeout> | undefined
  let stopListening = () => {}
  let onHeardAny = () => {}

  const listener = (message: Buffer, channel: Buffer) => {
    heard += 1
    onHeardAny()
    client.alive()
    onMessage(channel.toString(), message)
  }

  const subscribe = async (channels: string[]) => {
    if (!sharded) await client.current.subscribe(channels, listener, true)
    // A cluster takes channels of one slot at a time.
    else await Promise.all(channels.map((channel) => subscribeSharded(channel)))
  }
  const subscribeSharded = async (channel: string) => {
    try {
      await client.current.sSubscribe(channel, listener, true)
    } catch (thrown) {
      if (!(thrown instanceof Error && /^(MOVED|CLUSTERDOWN|ASK)/.test(thrown.message)))
        throw thrown
      move(channel)
    }
  }
  const unsubscribe = async (channels: string[]) => {
    if (!sharded) await client.current.unsubscribe(channels, listener, true)
    else
      await Promise.all(
        channels.map((channel) => client.current.sUnsubscribe(channel, listener, true)),
      )
  }
  const move = (channel: string) => {
    registered.delete(channel)
    if (wanted.delete(channel)) onMoved(channel)
  }

  const round = async () => {
    const channels = [...changed].slice(0, channelsPerRound)
    for (const channel of channels) changed.delete(channel)
    const more = channels.filter((each) => wanted.has(each) && !registered.has(each))
    const less = channels.filter((each) => !wanted.has(each) && registered.has(each))
    try {
      if (more.length > 0) await subscribe(more)
      for (const each of more) registered.add(each)
      if (less.length > 0) await unsubscribe(less)
      for (const each of less) registered.delete(each)
    } catch (thrown) {
      // The connection broke, and the next one begins with everything; or a right is missing.
      for (const each of channels) changed.add(each)
      if (client.current.isReady && !isRefused) onConnection(thrown)
      isRefused = client.current.isReady
      return false
    }
    if (isRefused) onConnection(undefined)
    isRefused = false
    // Also those that were given up and wanted again before this round.
    for (const each of channels) if (wanted.has(each)) onHeard(each)
    return true
  }
  const run = async () => {
    if (isRunning || isClosed) return
    if (!isConnecting && wanted.size > 0) {
      isConnecting = true
      client.connect()
    }
    isRunning = true
    // Those who ask in the same moment share a round.
    await Promise.resolve()
    while (client.current.isReady && changed.size > 0) {
      if (!(await round())) await new Promise((resolve) => setTimeout(resolve, roundRetryMs))
    }
    isRunning = false
  }
  const client = createRenewableClient(options.url, {
    ready() {
      // node-redis has subscribed again to what it knew; asking for that again costs nothing.
      for (const channel of [...registered, ...wanted]) changed.add(channel)
      for (const channel of wanted) registered.delete(channel)
      isRefused = false
      onConnection(undefined)
      void run()
    },
    error: (thrown) => isClosed || onConnection(thrown),
    shardedChannelMoved: move,
  })
  const isHearing = () => client.current.isReady && !isRefused

  /** Holds the connection to a message, where none came since the last look. */
  const listen = async () => {
    const [channel] = registered
    const isQuiet = heard === heardBefore
    heardBefore = heard
    if (!isQuiet || !isHearing() || channel === undefined) return
    const { current } = client
    try {
      await options.echo(channel)
    } catch {
      // A failed publish says nothing about this connection: it went over another one.
      return
    }
    const isSame = () => client.current === current && isHearing() && registered.has(channel)
    await new Promise<void>((resolve) => {
      stopListening = deadline(echoWithinMs, resolve)
      onHeardAny = resolve
      if (heard > heardBefore) resolve()
    })
    stopListening()
    onHeardAny = () => {}
    const hasHeard = heard > heardBefore
    heardBefore = heard
    if (isClosed || hasHeard || !isSame() || !wanted.has(channel)) return
    // A new client has no subscriptions: subscribe again.
    registered.clear()
    onConnection(new Deaf('what was published there does not arrive'))
    client.renew()
  }
  const listenAgain = () => {
    if (isClosed) return
    listening = setTimeout(() => void listen().then(listenAgain), echoEveryMs)
    listening.unref()
  }
  listenAgain()

  return {
    want(channel) {
      wanted.add(channel)
      changed.add(channel)
      void run()
    },
    drop(channel) {
      if (!wanted.delete(channel)) return
      changed.add(channel)
      void run()
    },
    idle: () => wanted.size === 0,
    ready: () => !isConnecting || isHearing(),
    close() {
      isClosed = true
      wanted.clear()
      changed.clear()
      stopListening()
      clearTimeout(listening)
      client.close()
    },
  }
}
