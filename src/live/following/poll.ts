/**
 * A Poll asks the database at regular intervals for the versions of all conversations that this
 * node follows. A hint is a message from another node, through the KV, that says a conversation has a newer
 * version.
 * Hints may be lost. The poll finds the change then, so a lost hint only delays delivery.
 */
import { nextRound } from '../../mechanics/time-slices.ts'
import type { Channel } from './channel.ts'

export type PollOptions = {
  channels(): readonly Channel[]
  /** Whether hints of other nodes can arrive now. */
  hintsArrive(): boolean
  /** Milliseconds between two polls while hints arrive. */
  readonly pollMs: number
  /** Milliseconds between two polls while hints do not arrive: the shorter interval. */
  readonly silentPollMs: number
  /** Reports that some versions could not be read. The next poll asks for all versions again. */
  failed(error: unknown): void
}

/** The maximum number of versions that are requested in one round of the event loop. */
const versionsPerRound = 1000

/**
 * Milliseconds for which hints must have been reliable before polls are `pollMs` apart again. Until
 * then they are `silentPollMs` apart.
 */
const trustMs = 10_000

/**
 * Milliseconds for which a hint may come after the poll that found its change. After that the hint
 * counts as lost.
 */
const lateMs = 1000

/** A version that the poll found and that no hint had announced. */
type News = { readonly channel: Channel; readonly version: number }

export class Poll implements Disposable {
  readonly #options: PollOptions
  #timer: ReturnType<typeof setTimeout>
  #isOver = false
  #polledAt = performance.now()
  /** The last time at which hints could not arrive or one was lost, by `performance.now()`. */
  #distrustedAt = Number.NEGATIVE_INFINITY

  constructor(options: PollOptions) {
    this.#options = options
    this.#timer = this.#wakeIn(options.silentPollMs)
  }

  [Symbol.dispose](): void {
    this.#isOver = true
    clearTimeout(this.#timer)
  }

  #wakeIn(ms: number): ReturnType<typeof setTimeout> {
    return setTimeout(() => void this.#wake(), ms)
  }

  /**
   * Polls if a poll is due. It is called every `silentPollMs`, also while polls are `pollMs` apart,
   * so that a KV that stops sending hints is noticed soon.
   */
  async #wake(): Promise<void> {
    const { pollMs, silentPollMs, hintsArrive } = this.#options
    const now = performance.now()
    if (!hintsArrive()) this.#distrustedAt = now
    const interval = now - this.#distrustedAt < trustMs ? silentPollMs : pollMs
    // The interval is one millisecond shorter, because a timer may fire one millisecond early.
    if (now - this.#polledAt >= interval - 1) {
      this.#polledAt = now
      await this.#poll()
    }
    if (this.#isOver) return
    const wait = Math.min(
      silentPollMs,
      Math.max(0, this.#polledAt + silentPollMs - performance.now()),
    )
    // Wakes `silentPollMs` after the last poll began, or from now if that time has passed.
    this.#timer = this.#wakeIn(wait === 0 ? silentPollMs : wait)
  }

  async #poll(): Promise<void> {
    const followed = this.#options.channels()
    const news: News[] = []
    const checks: Promise<void>[] = []
    for (let at = 0; at < followed.length; at += versionsPerRound) {
      if (at > 0) await nextRound()
      const channels = followed.slice(at, at + versionsPerRound)
      checks.push(...channels.map((channel) => checkChannel(channel, news)))
    }
    const failed = (await Promise.allSettled(checks)).find(({ status }) => status === 'rejected')
    if (failed?.status === 'rejected') this.#options.failed(failed.reason)
    this.#checkHints(news)
  }

  /** Makes polls frequent for `trustMs` if a version that the poll found gets no hint in time. */
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

/**
 * Makes the channel compare its head with the database and deliver newer changes. Adds the version to
 * `news` if a version was known before, and neither the head nor a hint has reached this one.
 */
async function checkChannel(channel: Channel, news: News[]): Promise<void> {
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
