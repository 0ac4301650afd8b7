/**
 * Partials are the interim texts of one conversation, by speaker: the latest wins, each is gone after a
 * while or once a durable message of its speaker comes, and none is promised to arrive.
 */

import type { Message } from '../../conversation/wire/schemas.ts'

export type Role = 'human' | 'ai'

export type Partial = {
  readonly role: Role
  /** Empty: taken back. */
  readonly text: string
  /** The version its sender knew: a message of the speaker after that makes it a thing of the past. */
  readonly after: number
}

export type PartialsOptions = {
  head(): number
  show(partial: Partial): void
  /** Tells the other nodes; undefined where there are none to tell. */
  readonly publish: ((partial: Partial) => Promise<void>) | undefined
}

/** How long a text stays that nobody carries on, in milliseconds. */
export const partialMs = 15_000

/** 25 a second for each speaker. */
const paceMs = 40

type Speaker = {
  latest: Partial | undefined
  /** When `latest` goes. */
  expiresAt: number
  /** The version of the speaker's newest message. */
  messageVersion: number
  /** The place of that message. */
  messageSeq: number
  /** `latest` is of a version that is not here yet. */
  isEarly: boolean
  nextAt: number
  timer: ReturnType<typeof setTimeout> | undefined
  isPublishing: boolean
  /** The text that is published with the next turn of the pace, and the one that is published now. */
  unpublished: Partial | undefined
  due: Partial | undefined
}

export class Partials {
  readonly #options: PartialsOptions
  readonly #speakers = new Map<Role, Speaker>()
  #firstVersion = 0

  constructor(options: PartialsOptions) {
    this.#options = options
  }

  /** Takes a text from a socket of this node. */
  update(role: Role, text: string): void {
    const speaker = this.#speaker(role)
    const partial = { role, text, after: this.#options.head() }
    this.#setLatest(speaker, partial)
    speaker.unpublished = partial
    const wait = speaker.nextAt - performance.now()
    if (wait <= 0) this.#flush(speaker)
    else speaker.timer ??= setTimeout(() => this.#flush(speaker), wait)
  }

  /** Takes a text from another node. */
  updateFromPeer(partial: Partial): void {
    const speaker = this.#speaker(partial.role)
    if (partial.after < speaker.messageVersion) return
    this.#setLatest(speaker, partial)
    speaker.isEarly = partial.after > this.#options.head()
    this.#show(speaker)
  }

  /** The first version that is known here: of the messages before it, nothing is. */
  startAt(version: number): void {
    this.#firstVersion = version
    for (const speaker of this.#speakers.values()) this.#endBefore(speaker, version)
  }

  /** A message of the speaker is there. One that was there before has only been touched. */
  messageArrived({
    role,
    seq,
    version,
    state,
  }: Pick<Message, 'role' | 'seq' | 'version' | 'state'>): void {
    // A seat says that somebody speaks: the interim text goes on until the words are there.
    if (state === 'pending') return
    const speaker = this.#speaker(role)
    if (seq <= speaker.messageSeq) return
    speaker.messageSeq = seq
    this.#endBefore(speaker, version)
  }

  #endBefore(speaker: Speaker, version: number): void {
    speaker.messageVersion = Math.max(speaker.messageVersion, version)
    if (speaker.latest !== undefined && speaker.latest.after < version) speaker.latest = undefined
    if (speaker.unpublished !== undefined && speaker.unpublished.after < version)
      speaker.unpublished = undefined
  }

  /** The head has moved: what was said after it can be shown now. */
  headMoved(): void {
    for (const speaker of this.#speakers.values()) {
      if (!speaker.isEarly || (speaker.latest?.after ?? 0) > this.#options.head()) continue
      speaker.isEarly = false
      this.#show(speaker)
    }
  }

  current(): Partial[] {
    return [...this.#speakers.values()].flatMap(({ latest }) =>
      latest !== undefined && latest.text !== '' && latest.after <= this.#options.head()
        ? [latest]
        : [],
    )
  }

  /** Whether it is still what its speaker says. */
  isLatest(partial: Partial): boolean {
    return this.#speakers.get(partial.role)?.latest === partial
  }

  /** Takes back what nobody carried on. */
  tick(now: number): void {
    for (const [role, speaker] of this.#speakers) {
      const { latest } = speaker
      if (latest === undefined || now < speaker.expiresAt) continue
      speaker.latest = undefined
      if (latest.text !== '') this.#options.show({ role, text: '', after: latest.after })
    }
  }

  clear(): void {
    for (const { timer } of this.#speakers.values()) clearTimeout(timer)
    this.#speakers.clear()
  }

  #speaker(role: Role): Speaker {
    const found = this.#speakers.get(role)
    if (found !== undefined) return found
    const speaker: Speaker = {
      latest: undefined,
      expiresAt: 0,
      messageVersion: this.#firstVersion,
      messageSeq: 0,
      isEarly: false,
      nextAt: 0,
      timer: undefined,
      isPublishing: false,
      unpublished: undefined,
      due: undefined,
    }
    this.#speakers.set(role, speaker)
    return speaker
  }

  #setLatest(speaker: Speaker, partial: Partial): void {
    speaker.latest = partial
    speaker.isEarly = false
    speaker.expiresAt = performance.now() + partialMs
  }

  #flush(speaker: Speaker): void {
    speaker.timer = undefined
    speaker.nextAt = performance.now() + paceMs
    speaker.due = speaker.unpublished
    speaker.unpublished = undefined
    this.#show(speaker)
    void this.#publish(speaker)
  }

  #show({ latest }: Speaker): void {
    if (latest !== undefined && latest.after <= this.#options.head()) this.#options.show(latest)
  }

  /** One at a time: what is said meanwhile waits, and only the latest of it. */
  async #publish(speaker: Speaker): Promise<void> {
    const { publish } = this.#options
    if (publish === undefined || speaker.isPublishing) return
    speaker.isPublishing = true
    while (speaker.due !== undefined) {
      const partial = speaker.due
      speaker.due = undefined
      // Interim texts may be lost while the KV is away; the publisher logs the failure.
      await publish(partial).catch(() => {})
    }
    speaker.isPublishing = false
  }
}
