/**
 * One connection that hears changes, of thousands of channels. What is wanted and what the server has
 * confirmed are kept apart, and brought together one round at a time.
 */
import type { Buffer } from 'node:buffer'
import { createClient } from 'redis'

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
  readonly client: Parameters<typeof createClient>[0]
  /** Whether channels live on the server of their slot. */
  readonly sharded: boolean
  onMessage(channel: string, message: Buffer): void
  /** From now on all of the channel is heard; before, something may have been missed. */
  onHeard(channel: string): void
  /** The channel is not this server's. It is dropped. */
  onMoved(channel: string): void
  /** Connected, or lost with a reason. */
  onConnection(lost: unknown): void
}

/** Channels in one SUBSCRIBE, or SSUBSCRIBEs under way at a time. */
const channelsPerRound = 1000
const roundRetryMs = 250

export function createSubscriber(options: SubscriberOptions): Subscriber {
  const { sharded, onMessage, onHeard, onMoved, onConnection } = options
  const client = createClient(options.client)
  const wanted = new Set<string>()
  const registered = new Set<string>()
  /** Wanted and registered may differ for these. */
  const changed = new Set<string>()
  let isConnecting = false
  /** The connection stands, and the server will not tell what is wanted. */
  let isRefused = false
  let isRunning = false
  let isClosed = false

  const listener = (message: Buffer, channel: Buffer) => onMessage(channel.toString(), message)

  const subscribe = async (channels: string[]) => {
    if (!sharded) await client.subscribe(channels, listener, true)
    // A cluster takes channels of one slot at a time.
    else await Promise.all(channels.map((channel) => subscribeSharded(channel)))
  }
  const subscribeSharded = async (channel: string) => {
    try {
      await client.sSubscribe(channel, listener, true)
    } catch (thrown) {
      if (!(thrown instanceof Error && /^(MOVED|CLUSTERDOWN|ASK)/.test(thrown.message)))
        throw thrown
      move(channel)
    }
  }
  const unsubscribe = async (channels: string[]) => {
    if (!sharded) await client.unsubscribe(channels, listener, true)
    else await Promise.all(channels.map((channel) => client.sUnsubscribe(channel, listener, true)))
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
      if (client.isReady && !isRefused) onConnection(thrown)
      isRefused = client.isReady
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
      client.connect().catch(() => {})
    }
    isRunning = true
    // Those who ask in the same moment share a round.
    await Promise.resolve()
    while (client.isReady && changed.size > 0) {
      if (!(await round())) await new Promise((resolve) => setTimeout(resolve, roundRetryMs))
    }
    isRunning = false
  }
  client
    .on('ready', () => {
      // node-redis has subscribed again to what it knew; asking for that again costs nothing.
      for (const channel of [...registered, ...wanted]) changed.add(channel)
      for (const channel of wanted) registered.delete(channel)
      isRefused = false
      onConnection(undefined)
      void run()
    })
    .on('error', (thrown) => isClosed || onConnection(thrown))
    .on('sharded-channel-moved', (channel: string) => move(channel))

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
    ready: () => !isConnecting || (client.isReady && !isRefused),
    close() {
      isClosed = true
      wanted.clear()
      changed.clear()
      client.destroy()
    },
  }
}
