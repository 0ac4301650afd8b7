/**
 * RedisSubscriber is one connection that receives changes, of thousands of channels. Wanted and confirmed
 * channels are kept apart, and brought together one round at a time. A connection that receives nothing is
 * tested with a message that is published on purpose: it may answer pings, and have stopped receiving.
 */
import type { Buffer } from 'node:buffer'
import { deadline } from '../../../src/mechanics/loop-delay.ts'
import { createRenewableClient, type RenewableClient } from './redis-client.ts'

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
  onSubscribed(channel: string): void
  /** The channel is not this server's. It is dropped. */
  onMoved(channel: string): void
  /** Connected, or lost with a reason: a `NotReceiving`, where it had stopped hearing. */
  onConnection(lost: unknown): void
  /** Publishes what no listener takes for a change, over another connection. */
  echo(channel: string): Promise<unknown>
}

/** A message that was published to test the connection did not arrive. */
export class NotReceiving extends Error {
  override readonly name = 'NotReceiving'
}

/** Channels in one SUBSCRIBE, or SSUBSCRIBEs under way at a time. */
const channelsPerRound = 1000
const roundRetryMs = 250
/** Milliseconds of silence after which something is published, and until it must have arrived. */
const echoEveryMs = 2000
const echoWithinMs = 1000

/** Connects once something is wanted. */
export class RedisSubscriber implements Subscriber {
  readonly #options: SubscriberOptions
  readonly #client: RenewableClient
  readonly #wanted = new Set<string>()
  readonly #registered = new Set<string>()
  /** Wanted and registered may differ for these. */
  readonly #changed = new Set<string>()
  #isConnecting = false
  /** The connection stands, and the server refuses what is wanted. */
  #isRefused = false
  #isRunning = false
  #isClosed = false
  /** Messages of this connection, and how many there were at the last look. */
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
    this.#wanted.add(channel)
    this.#changed.add(channel)
    void this.#run()
  }

  drop(channel: string): void {
    if (!this.#wanted.delete(channel)) return
    this.#changed.add(channel)
    void this.#run()
  }

  idle(): boolean {
    return this.#wanted.size === 0
  }

  ready(): boolean {
    return !this.#isConnecting || this.#isReceiving()
  }

  close(): void {
    this.#isClosed = true
    this.#wanted.clear()
    this.#changed.clear()
    this.#stopWaiting()
    clearTimeout(this.#echoing)
    this.#client.close()
  }

  #isReceiving(): boolean {
    return this.#client.current.isReady && !this.#isRefused
  }

  #ready(): void {
    // node-redis has subscribed again to what it knew; asking for that again costs nothing.
    for (const channel of [...this.#registered, ...this.#wanted]) this.#changed.add(channel)
    for (const channel of this.#wanted) this.#registered.delete(channel)
    this.#isRefused = false
    this.#options.onConnection(undefined)
    void this.#run()
  }

  /** Subscribes and unsubscribes, round after round, until nothing differs. */
  async #run(): Promise<void> {
    if (this.#isRunning || this.#isClosed) return
    if (!this.#isConnecting && this.#wanted.size > 0) {
      this.#isConnecting = true
      this.#client.connect()
    }
    this.#isRunning = true
    // Channels that are wanted in the same moment share a round.
    await Promise.resolve()
    while (this.#client.current.isReady && this.#changed.size > 0) {
      if (!(await this.#round())) await new Promise((resolve) => setTimeout(resolve, roundRetryMs))
    }
    this.#isRunning = false
  }

  async #round(): Promise<boolean> {
    const [wanted, registered, changed] = [this.#wanted, this.#registered, this.#changed]
    const { onConnection, onSubscribed } = this.#options
    const channels = [...changed].slice(0, channelsPerRound)
    for (const channel of channels) changed.delete(channel)
    const more = channels.filter((each) => wanted.has(each) && !registered.has(each))
    const less = channels.filter((each) => !wanted.has(each) && registered.has(each))
    try {
      if (more.length > 0) await this.#subscribe(more)
      for (const each of more) registered.add(each)
      if (less.length > 0) await this.#unsubscribe(less)
      for (const each of less) registered.delete(each)
    } catch (thrown) {
      // The connection broke, and the next one begins with everything; or a right is missing.
      for (const each of channels) changed.add(each)
      const { isReady } = this.#client.current
      if (isReady && !this.#isRefused) onConnection(thrown)
      this.#isRefused = isReady
      return false
    }
    if (this.#isRefused) onConnection(undefined)
    this.#isRefused = false
    // Also those that were given up and wanted again before this round.
    for (const each of channels) if (wanted.has(each)) onSubscribed(each)
    return true
  }

  async #subscribe(channels: string[]): Promise<void> {
    if (!this.#options.sharded) await this.#client.current.subscribe(channels, this.#listener, true)
    // A cluster takes channels of one slot at a time.
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
    if (this.#wanted.delete(channel)) this.#options.onMoved(channel)
  }

  #echoLater(): void {
    if (this.#isClosed) return
    this.#echoing = setTimeout(() => void this.#echo().then(() => this.#echoLater()), echoEveryMs)
    this.#echoing.unref()
  }

  /** Publishes a message where none came since the last look, and makes the connection anew if it does not arrive. */
  async #echo(): Promise<void> {
    const [channel] = this.#registered
    const isQuiet = this.#messages === this.#messagesBefore
    this.#messagesBefore = this.#messages
    if (!isQuiet || !this.#isReceiving() || channel === undefined) return
    const { current } = this.#client
    try {
      await this.#options.echo(channel)
    } catch {
      // A failed publish says nothing about this connection: it went over another one.
      return
    }
    const isSame = () =>
      this.#client.current === current && this.#isReceiving() && this.#registered.has(channel)
    const arrived = await this.#messageArrives()
    if (this.#isClosed || arrived || !isSame() || !this.#wanted.has(channel)) return
    // A new client has no subscriptions: subscribe again.
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
