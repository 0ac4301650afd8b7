/**
 * The floor under all hints: the heads of all conversations followed here are asked for again and
 * again, so that a hint that was lost is a delay and no loss.
 */
import type { Channel } from './channel.ts'

export type PollOptions = {
  channels(): readonly Channel[]
  /** Whether other nodes' hints can be expected to be heard now. */
  heard(): boolean
  readonly pollMs: number
  readonly silentPollMs: number
  /** A round could not ask for some of the heads; the next one asks again. */
  failed(error: unknown): void
}

export type Poll = Disposable

/** How many heads are asked for in one round of the event loop. */
const askedMax = 1000

/** So long hints must have been heard without a gap before they are relied on again. */
const trustMs = 10_000

/** A hint that comes so much later than the poll was not lost. */
const lateMs = 1000

export function createPoll(options: PollOptions): Poll {
  const { channels, heard, pollMs, silentPollMs } = options
  let isOver = false
  let timer: ReturnType<typeof setTimeout> | undefined
  let polledAt = performance.now()
  let distrustedAt = Number.NEGATIVE_INFINITY

  /** Those of whose news no hint came are why hints are distrusted for a while. */
  const judge = (news: readonly { channel: Channel; version: number }[]) => {
    if (news.length === 0 || !heard()) return
    setTimeout(() => {
      if (news.some(({ channel, version }) => channel.holders > 0 && channel.hinted < version))
        distrustedAt = performance.now()
    }, lateMs)
  }

  const poll = async () => {
    const followed = channels()
    const news: { channel: Channel; version: number }[] = []
    const look = async (channel: Channel) => {
      if (channel.holders === 0) return
      const known = Math.max(channel.head, channel.hinted)
      const read = await channel.check()
      if (read !== undefined && known > 0 && read.version > Math.max(known, channel.hinted))
        news.push({ channel, version: read.version })
    }
    const looks: Promise<void>[] = []
    for (let at = 0; at < followed.length; at += askedMax) {
      if (at > 0) await new Promise((resolve) => setImmediate(resolve))
      looks.push(...followed.slice(at, at + askedMax).map(look))
    }
    // A database that is away is asked again with the next round.
    const lost = (await Promise.allSettled(looks)).find(({ status }) => status === 'rejected')
    if (lost?.status === 'rejected') options.failed(lost.reason)
    judge(news)
  }

  // Short turns, so that a store that falls silent is noticed soon.
  const turn = async () => {
    const now = performance.now()
    if (!heard()) distrustedAt = now
    const interval = now - distrustedAt < trustMs ? silentPollMs : pollMs
    if (now - polledAt >= interval - 1) {
      polledAt = now
      await poll()
    }
    if (isOver) return
    const wait = Math.min(silentPollMs, Math.max(0, polledAt + silentPollMs - performance.now()))
    timer = setTimeout(() => void turn(), wait === 0 ? silentPollMs : wait)
  }
  timer = setTimeout(() => void turn(), silentPollMs)

  return {
    [Symbol.dispose]() {
      isOver = true
      clearTimeout(timer)
    },
  }
}
