/** Hub holds the channels of all conversations that sockets of this node follow. */

import type { LiveReads, PageBounds } from '../../conversation/reading/live-reads.ts'
import type { Versions } from '../../conversation/reading/versions.ts'
import { newId } from '../../conversation/wire/ids.ts'
import { conversationName } from '../../conversation/wire/kv-keys.ts'
import type { Principal } from '../../conversation/wire/principal.ts'
import type { Commit, Effect } from '../../conversation/writing/effects.ts'
import type { Events } from '../../events.ts'
import type { LoopShare } from '../../mechanics/loop-share.ts'
import { Channel, type ChannelHost } from './channel.ts'
import { FanOut } from './fan-out.ts'
import { Poll } from './poll.ts'
import { publishPartial, type SharedKv, Watch } from './wakes.ts'

export type HubOptions = {
  readonly reads: LiveReads
  readonly versions: Versions
  /** Whether other processes write to the database. */
  readonly databaseShared: boolean
  /** The KV, if other nodes share it. */
  readonly kv: SharedKv | undefined
  readonly pollMs: number
  readonly silentPollMs: number
  readonly page: PageBounds
  /** The share of the event loop for delivery to crowds. */
  readonly share: LoopShare
  readonly events: Pick<Events, 'headWentBack' | 'workFailed'>
}

/** Milliseconds that a channel without users stays open, for clients that reconnect. */
const lingerMs = 10_000

type OpenChannel = { readonly channel: Channel; readonly watch: Watch | undefined }

export class Hub implements Disposable {
  /** Delivers each commit of this node to the followers of its conversation. */
  readonly effect: Effect = { name: 'live', committed: (commit) => this.#committed(commit) }
  readonly #options: HubOptions
  readonly #channels = new Map<string, OpenChannel>()
  readonly #host: ChannelHost
  readonly #ticking: FanOut<[string, OpenChannel]>
  readonly #poll: Poll | undefined

  constructor(options: HubOptions) {
    const { kv, versions, page, share, events } = options
    this.#options = options
    this.#host = {
      reads: loggedReads(options),
      versions,
      page,
      share,
      node: newId(),
      publish: kv === undefined ? undefined : publisher(kv, events),
      wentBack: ({ conversationId }, knownVersion, databaseHead) =>
        events.headWentBack(conversationId, knownVersion, databaseHead),
    }
    this.#ticking = new FanOut(share, this.#channels, ([name, open]) => this.#tick(name, open))
    if (options.databaseShared)
      this.#poll = new Poll({
        pollMs: options.pollMs,
        silentPollMs: options.silentPollMs,
        channels: () => [...this.#channels.values()].map(({ channel }) => channel),
        hintsArrive: () => kv?.hintsArrive() === true,
        failed: (error) => events.workFailed('live-poll', error),
      })
  }

  /** The number of open channels. */
  get size(): number {
    return this.#channels.size
  }

  /** The channel of a conversation, opened if needed. The caller must `release` it after use. */
  hold(principal: Principal, conversationId: string): Channel {
    const name = conversationName(principal.tenant, conversationId)
    let found = this.#channels.get(name)
    if (found === undefined) {
      found = this.#opened(principal, conversationId)
      this.#channels.set(name, found)
    }
    found.channel.holders += 1
    return found.channel
  }

  release(channel: Channel): void {
    channel.holders -= 1
    channel.idleSince = performance.now()
    const name = conversationName(channel.principal.tenant, channel.conversationId)
    const found = this.#channels.get(name)
    // Close channels of missing conversations at once: ids can be invented, so keeping them would
    // leak memory.
    if (found?.channel === channel && channel.holders === 0 && channel.absent !== undefined)
      this.#close(name, found)
  }

  /** Called once a second. Closes channels that have had no user for `lingerMs`. */
  tick(): void {
    this.#ticking.all()
  }

  [Symbol.dispose](): void {
    this.#poll?.[Symbol.dispose]()
    for (const [name, open] of this.#channels) this.#close(name, open)
  }

  #committed(commit: Commit): void {
    const name = conversationName(commit.tenant, commit.conversationId)
    this.#channels.get(name)?.channel.committed(commit)
  }

  #opened(principal: Principal, conversationId: string): OpenChannel {
    const { kv, events } = this.#options
    const channel = new Channel(this.#host, principal, conversationId)
    const failed = (thrown: unknown) => events.workFailed('live-watch', thrown, conversationId)
    return { channel, watch: kv === undefined ? undefined : new Watch(kv.kv, channel, failed) }
  }

  #tick(name: string, open: OpenChannel): void {
    const now = performance.now()
    const { channel } = open
    channel.tick(now)
    if (channel.holders === 0 && now - channel.idleSince > lingerMs) this.#close(name, open)
  }

  #close(name: string, { channel, watch }: OpenChannel): void {
    this.#channels.delete(name)
    watch?.stop()
    channel.close()
  }
}

/**
 * The reads of a hub. A failed read of changes is logged here, because no caller reports it: it is
 * repeated, and the followers wait.
 */
const loggedReads = ({ reads, events }: HubOptions): LiveReads => ({
  ...reads,
  async changes(principal, id, from, bounds) {
    try {
      return await reads.changes(principal, id, from, bounds)
    } catch (thrown) {
      events.workFailed('live-changes', thrown, id)
      throw thrown
    }
  },
})

const publisher =
  ({ kv }: SharedKv, events: HubOptions['events']): NonNullable<ChannelHost['publish']> =>
  ({ principal, conversationId }, partial) =>
    publishPartial(kv, principal.tenant, conversationId, partial).catch((thrown: unknown) =>
      events.workFailed('live-partials', thrown, conversationId),
    )
