/**
 * Poll asks for the versions of all conversations followed here again and again: below all hints, so
 * that a lost hint is a delay and no loss.
 */
import { nextRound } from '../../mechanics/time-slices.ts'
import type { Channel } from './channel.ts'

export type PollOptions = {
  channels(): readonly Channel[]
  /** Whether hints of other nodes can be expected to arrive now. */
  hintsArrive(): boolean
  readonly pollMs: number
  readonly silentPollMs: number
  /** A round could not ask for some of the versions; the next one asks again. */
  failed(error: unknown): void
}

/** How many versions are asked for in one round of the event loop. */
const versionsPerRound = 1000

/** How long hints must arrive without a gap before they are relied on again. */
const trustMs = 10_000

/** A hint that comes so much later than the poll was not lost. */
const lateMs = 1000

/** Something new that the poll has found. */
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

  /** Turns are short, so that a KV that falls silent is noticed soon. */
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
    // A database that is away is asked again with the next round.
    const lost = (await Promise.allSettled(looks)).find(({ status }) => status === 'rejected')
    if (lost?.status === 'rejected') this.#options.failed(lost.reason)
    this.#checkHints(news)
  }

  /** Distrusts hints for a while, where none came of what the poll has found. */
  #checkHints(news: readonly News[]): void {
    if (news.length === 0 || !this.#options.hintsArrive()) return
    setTimeout(() => {
      if (news.some(({ channel, version }) => channel.holders > 0 && channel.hinted < version))
        this.#distrustedAt = performance.now()
    }, lateMs)
  }
}

/** Adds to the news where the conversation is past what its channel and all hints knew. */
async function look(channel: Channel, news: News[]): Promise<void> {
  if (channel.holders === 0) return
  const knownVersion = Math.max(channel.head, channel.hinted)
  const current = await channel.check()
  if (
    current !== undefined &&
    knownVersion > 0 &&
    current.version > Math.max(knownVersion, channel.hinted)
  )
    news.push({ channel, version: current.version })
}
