/** Who listens here: the conversations that sockets of this node follow, and what wakes them. */

import type { LiveReads, PageBounds } from '../../conversation/reading/live-reads.ts'
import { newId } from '../../conversation/wire/ids.ts'
import type { Principal } from '../../conversation/wire/principal.ts'
import type { Commit, Effect } from '../../conversation/writing/effects.ts'
import type { Events } from '../../events.ts'
import { Channel, type ChannelHost } from './channel.ts'
import { FanOut } from './fan-out.ts'
import { createHeads } from './heads.ts'
import { createPoll, type Poll } from './poll.ts'
import type { TimeSlice } from './time-slice.ts'
import { publishPartial, type SharedKv, Watch } from './wakes.ts'

export type HubOptions = {
  readonly reads: LiveReads
  /** Whether other processes write to the database. */
  readonly databaseShared: boolean
  /** Only where other nodes see it, too. */
  readonly kv: SharedKv | undefined
  readonly pollMs: number
  readonly silentPollMs: number
  readonly page: PageBounds
  /** The time slice for work on crowds. */
  readonly slice: TimeSlice
  readonly events: Pick<Events, 'headWentBack' | 'workFailed'>
}

export type Hub = Disposable & {
  /** Tells those who listen here of this node's commits. */
  readonly effect: Effect
  /** To be given back with `release`. */
  hold(principal: Principal, conversationId: string): Channel
  release(channel: Channel): void
  /** Once a second. */
  tick(): void
  /** How many conversations are open. */
  readonly size: number
}

/** A conversation that nobody follows any more stays open so long, for those who come back. */
const lingerMs = 10_000

type Open = { readonly channel: Channel; readonly watch: Watch | undefined }

export function createHub(options: HubOptions): Hub {
  const { databaseShared, kv, page, slice, events } = options
  const reads: LiveReads = {
    ...options.reads,
    async changes(principal, id, from, bounds) {
      try {
        return await options.reads.changes(principal, id, from, bounds)
      } catch (thrown) {
        // Its followers wait until a later read succeeds, and no answer tells them of this one.
        events.workFailed('live-changes', thrown, id)
        throw thrown
      }
    },
  }
  const open = new Map<string, Open>()
  const nameOf = (tenant: string, id: string) => `${tenant}/${id}`
  const host: ChannelHost = {
    reads,
    heads: createHeads(reads),
    page,
    slice,
    node: newId(),
    publish:
      kv === undefined
        ? undefined
        : ({ principal, conversationId }, partial) =>
            publishPartial(kv.kv, nameOf(principal.tenant, conversationId), partial).catch(
              (thrown: unknown) => events.workFailed('live-partials', thrown, conversationId),
            ),
    wentBack: ({ conversationId }, from, to) => events.headWentBack(conversationId, from, to),
  }
  let poll: Poll | undefined

  const opened = (name: string, principal: Principal, conversationId: string): Open => {
    const channel = new Channel(host, principal, conversationId)
    const failed = (thrown: unknown) => events.workFailed('live-watch', thrown, conversationId)
    const watch = kv === undefined ? undefined : new Watch(kv.kv, name, channel, failed)
    return { channel, watch }
  }

  if (databaseShared)
    poll = createPoll({
      ...options,
      channels: () => [...open.values()].map(({ channel }) => channel),
      heard: () => kv?.heard() === true,
      failed: (error) => events.workFailed('live-poll', error),
    })

  const close = (name: string, { channel, watch }: Open) => {
    open.delete(name)
    watch?.stop()
    channel.close()
  }

  const ticking = new FanOut(slice, open, ([name, each]) => {
    const now = performance.now()
    each.channel.tick(now)
    if (each.channel.holders === 0 && now - each.channel.idleSince > lingerMs) close(name, each)
  })

  return {
    effect: {
      name: 'live',
      committed(commit: Commit) {
        open.get(nameOf(commit.tenant, commit.conversationId))?.channel.committed(commit)
      },
    },

    hold(principal, conversationId) {
      const name = nameOf(principal.tenant, conversationId)
      let found = open.get(name)
      if (found === undefined) {
        found = opened(name, principal, conversationId)
        open.set(name, found)
      }
      found.channel.holders += 1
      return found.channel
    },

    release(channel) {
      channel.holders -= 1
      channel.idleSince = performance.now()
      const name = nameOf(channel.principal.tenant, channel.conversationId)
      const found = open.get(name)
      // Nobody comes back to what is not there, and anybody can make up ids.
      if (found?.channel === channel && channel.holders === 0 && channel.absent !== undefined)
        close(name, found)
    },

    tick: () => ticking.all(),

    get size() {
      return open.size
    },

    [Symbol.dispose]() {
      poll?.[Symbol.dispose]()
      for (const [name, each] of open) close(name, each)
    },
  }
}
