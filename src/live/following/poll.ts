/**
 * Poll regularly asks the database for the versions of all conversations that this node follows. It
 * finds each change whose hint was lost: a lost hint only delays delivery.
 */
import { nextRound } from '../../mechanics/time-slices.ts'
import type { Channel } from './channel.ts'

export type PollOptions = {
  channels(): readonly Channel[]
  /** Whether hints of other nodes can arrive now. */
  hintsArrive(): boolean
  /** Milliseconds between two polls while hints arrive. */
  readonly pollMs: number
  /** Milliseconds between two polls while hints do not arrive. */
  readonly silentPollMs: number
  /** Reports that some versions could not be read. The next round asks again. */
  failed(error: unknown): void
}

/** How many versions are requested in one round of the event loop. */
const versionsPerRound = 1000

/** Milliseconds for which hints must arrive without a gap before the poll becomes slow again. */
const trustMs = 10_000

/**
 * Milliseconds after the poll within which a hint may still arrive. After that it counts as lost.
 */
const lateMs = 1000

/** A version that the poll found and that no hint had announced. */
type News = { readonly channel: Channel; readonly version: number }

export class Poll implements Disposable {
  readonly #options: PollOptions
  #timer: ReturnType<typeof setTimeout>
  #isOver = false
  #polledAt = performance.now()
  #distrustedAt = Number.NEGATIVE_INFINITY

  constructor(options: PollOptions) {
    this.#options = options
    this.#timer = this.#roundIn(options.silentPollMs)
  }

  [Symbol.dispose](): void {
    this.#isOver = true
    clearTimeout(this.#timer)
  }

  #roundIn(ms: number): ReturnType<typeof setTimeout> {
    return setTimeout(() => void this.#round(), ms)
  }

  /** Rounds are `silentPollMs` apart, so that a KV that stops sending hints is noticed soon. */
  async #round(): Promise<void> {
    const { pollMs, silentPollMs, hintsArrive } = this.#options
    const now = performance.now()
    if (!hintsArrive()) this.#distrustedAt = now
    const interval = now - this.#distrustedAt < trustMs ? silentPollMs : pollMs
    if (now - this.#polledAt >= interval - 1) {
      this.#polledAt = now
      await this.#poll()
    }
    if (this.#isOver) return
    const wait = Math.min(
      silentPollMs,
      Math.max(0, this.#polledAt + silentPollMs - performance.now()),
    )
    this.#timer = this.#roundIn(wait === 0 ? silentPollMs : wait)
  }

  async #poll(): Promise<void> {
    const followed = this.#options.channels()
    const news: News[] = []
    const looks: Promise<void>[] = []
    for (let at = 0; at < followed.length; at += versionsPerRound) {
      if (at > 0) await nextRound()
      looks.push(...followed.slice(at, at + versionsPerRound).map((channel) => look(channel, news)))
    }
    // If the database is away, the next round asks again.
    const lost = (await Promise.allSettled(looks)).find(({ status }) => status === 'rejected')
    if (lost?.status === 'rejected') this.#options.failed(lost.reason)
    this.#checkHints(news)
  }

  /** Polls fast for a while if no hint announces the versions that the poll has found. */
  #checkHints(news: readonly News[]): void {
    if (news.length === 0 || !this.#options.hintsArrive()) return
    setTimeout(() => {
      if (
        news.some(({ channel, version }) => channel.holders > 0 && channel.hintedVersion < version)
      )
        this.#distrustedAt = performance.now()
    }, lateMs)
  }
}

/** Adds the conversation to the news if its version is above its channel's head and all hints. */
async function look(channel: Channel, news: News[]): Promise<void> {
  if (channel.holders === 0) return
  const knownVersion = Math.max(channel.head, channel.hintedVersion)
  const current = await channel.check()
  if (
    current !== undefined &&
    knownVersion > 0 &&
    current.version > Math.max(knownVersion, channel.hintedVersion)
  )
    news.push({ channel, version: current.version })
}
