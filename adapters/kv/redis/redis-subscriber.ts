/**
 * RedisSubscriber is one connection that receives the changes of thousands of channels. It keeps
 * the requested and the registered channels apart, and makes them equal in batches. A connection
 * that receives nothing is tested with a message that is published on purpose, because it may
 * answer pings although it has stopped receiving.
 */
import type { Buffer } from 'node:buffer'
import { deadline } from '../../../src/mechanics/loop-delay.ts'
import { createRenewableClient, type RenewableClient } from './redis-client.ts'

export type Subscriber = {
  want(channel: string): void
  drop(channel: string): void
  /** Whether no channel is requested. */
  idle(): boolean
  /** Whether it is connected, or has no reason to be. */
  ready(): boolean
  close(): void
}

export type SubscriberOptions = {
  readonly url: string
  /** Whether each channel is on the server of its slot. */
  readonly sharded: boolean
  onMessage(channel: string, message: Buffer): void
  /** The subscription has begun: later changes arrive, earlier ones may have been missed. */
  onSubscribed(channel: string): void
  /** The channel is not on this server. This subscriber drops it. */
  onMoved(channel: string): void
  /**
   * The connection is made (`lost` is undefined) or lost, with its reason: a `NotReceiving` if it
   * had stopped receiving.
   */
  onConnection(lost: unknown): void
  /** Publishes a message that listeners ignore, over another connection. */
  echo(channel: string): Promise<unknown>
}

/** The reason of a lost connection: a message that was published to test it did not arrive. */
export class NotReceiving extends Error {
  override readonly name = 'NotReceiving'
}

/** The most channels in one SUBSCRIBE, and the most SSUBSCRIBEs in flight. */
const channelsMax = 1000
/** Milliseconds before a failed batch is repeated. */
const batchRetryMs = 250
/** Milliseconds of silence after which a test message is published, and in which it must arrive. */
const echoEveryMs = 2000
const echoWithinMs = 1000

/** Connects when the first channel is requested. */
export class RedisSubscriber implements Subscriber {
  readonly #options: SubscriberOptions
  readonly #client: RenewableClient
  readonly #requested = new Set<string>()
  readonly #registered = new Set<string>()
  /** The channels that may be requested and not registered, or registered and not requested. */
  readonly #changed = new Set<string>()
  #isConnecting = false
  /** The connection works, and the server refuses the requested channels. */
  #isRefused = false
  #isRunning = false
  #isClosed = false
  /** The number of received messages, now and at the last look. */
  #messages = 0
  #messagesBefore = 0
  #echoing: ReturnType<typeof setTimeout> | undefined
  #stopWaiting = () => {}
  #onAnyMessage = () => {}
  readonly #listener = (message: Buffer, channel: Buffer): void => {
    this.#messages += 1
    this.#onAnyMessage()
    this.#client.alive()
    this.#options.onMessage(channel.toString(), message)
  }

  constructor(options: SubscriberOptions) {
    this.#options = options
    this.#client = createRenewableClient(options.url, {
      ready: () => this.#ready(),
      error: (thrown) => this.#isClosed || options.onConnection(thrown),
      shardedChannelMoved: (channel) => this.#move(channel),
    })
    this.#echoLater()
  }

  want(channel: string): void {
    this.#requested.add(channel)
    this.#changed.add(channel)
    void this.#run()
  }

  drop(channel: string): void {
    if (!this.#requested.delete(channel)) return
    this.#changed.add(channel)
    void this.#run()
  }

  idle(): boolean {
    return this.#requested.size === 0
  }

  ready(): boolean {
    return !this.#isConnecting || this.#isReceiving()
  }

  close(): void {
    this.#isClosed = true
    this.#requested.clear()
    this.#changed.clear()
    this.#stopWaiting()
    clearTimeout(this.#echoing)
    this.#client.close()
  }

  #isReceiving(): boolean {
    return this.#client.current.isReady && !this.#isRefused
  }

  #ready(): void {
    // node-redis has subscribed again to the channels that it knew. Subscribing once more costs
    // nothing.
    for (const channel of [...this.#registered, ...this.#requested]) this.#changed.add(channel)
    for (const channel of this.#requested) this.#registered.delete(channel)
    this.#isRefused = false
    this.#options.onConnection(undefined)
    void this.#run()
  }

  /**
   * Subscribes and unsubscribes in batches, until the registered channels equal the requested ones.
   */
  async #run(): Promise<void> {
    if (this.#isRunning || this.#isClosed) return
    if (!this.#isConnecting && this.#requested.size > 0) {
      this.#isConnecting = true
      this.#client.connect()
    }
    this.#isRunning = true
    // Channels that are requested at the same moment share a batch.
    await Promise.resolve()
    while (this.#client.current.isReady && this.#changed.size > 0) {
      if (!(await this.#synchronizeBatch()))
        await new Promise((resolve) => setTimeout(resolve, batchRetryMs))
    }
    this.#isRunning = false
  }

  async #synchronizeBatch(): Promise<boolean> {
    const [requested, registered, changed] = [this.#requested, this.#registered, this.#changed]
    const { onConnection, onSubscribed } = this.#options
    const channels = [...changed].slice(0, channelsMax)
    for (const channel of channels) changed.delete(channel)
    const more = channels.filter((each) => requested.has(each) && !registered.has(each))
    const less = channels.filter((each) => !requested.has(each) && registered.has(each))
    try {
      if (more.length > 0) await this.#subscribe(more)
      for (const each of more) registered.add(each)
      if (less.length > 0) await this.#unsubscribe(less)
      for (const each of less) registered.delete(each)
    } catch (thrown) {
      // Either the connection broke, and the next one subscribes to all channels, or a right is
      // missing.
      for (const each of channels) changed.add(each)
      const { isReady } = this.#client.current
      if (isReady && !this.#isRefused) onConnection(thrown)
      this.#isRefused = isReady
      return false
    }
    if (this.#isRefused) onConnection(undefined)
    this.#isRefused = false
    // This includes channels that were dropped and requested again before this batch.
    for (const each of channels) if (requested.has(each)) onSubscribed(each)
    return true
  }

  async #subscribe(channels: string[]): Promise<void> {
    if (!this.#options.sharded) await this.#client.current.subscribe(channels, this.#listener, true)
    // A Cluster accepts only channels of one slot in one command.
    else await Promise.all(channels.map((channel) => this.#subscribeSharded(channel)))
  }

  async #subscribeSharded(channel: string): Promise<void> {
    try {
      await this.#client.current.sSubscribe(channel, this.#listener, true)
    } catch (thrown) {
      if (!(thrown instanceof Error && /^(MOVED|CLUSTERDOWN|ASK)/.test(thrown.message)))
        throw thrown
      this.#move(channel)
    }
  }

  async #unsubscribe(channels: string[]): Promise<void> {
    const { current } = this.#client
    if (!this.#options.sharded) await current.unsubscribe(channels, this.#listener, true)
    else
      await Promise.all(
        channels.map((channel) => current.sUnsubscribe(channel, this.#listener, true)),
      )
  }

  #move(channel: string): void {
    this.#registered.delete(channel)
    if (this.#requested.delete(channel)) this.#options.onMoved(channel)
  }

  #echoLater(): void {
    if (this.#isClosed) return
    this.#echoing = setTimeout(() => void this.#echo().then(() => this.#echoLater()), echoEveryMs)
    this.#echoing.unref()
  }

  /**
   * Publishes a test message if none arrived since the last look, and renews the connection if the
   * test message does not arrive.
   */
  async #echo(): Promise<void> {
    const [channel] = this.#registered
    const isQuiet = this.#messages === this.#messagesBefore
    this.#messagesBefore = this.#messages
    if (!isQuiet || !this.#isReceiving() || channel === undefined) return
    const { current } = this.#client
    try {
      await this.#options.echo(channel)
    } catch {
      // A failed publish says nothing about this connection, because it used another one.
      return
    }
    const isSame = () =>
      this.#client.current === current && this.#isReceiving() && this.#registered.has(channel)
    const arrived = await this.#messageArrives()
    if (this.#isClosed || arrived || !isSame() || !this.#requested.has(channel)) return
    // A new client has no subscriptions, so none is registered.
    this.#registered.clear()
    this.#options.onConnection(new NotReceiving('what was published there does not arrive'))
    this.#client.renew()
  }

  async #messageArrives(): Promise<boolean> {
    await new Promise<void>((resolve) => {
      this.#stopWaiting = deadline(echoWithinMs, resolve)
      this.#onAnyMessage = resolve
      if (this.#messages > this.#messagesBefore) resolve()
    })
    this.#stopWaiting()
    this.#onAnyMessage = () => {}
    const arrived = this.#messages > this.#messagesBefore
    this.#messagesBefore = this.#messages
    return arrived
  }
}
