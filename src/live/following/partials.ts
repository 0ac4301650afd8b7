/**
 * Partials holds the interim texts of one conversation, one for each speaker. A new text replaces
 * the speaker's earlier one. A text ends 15 seconds after the last update, or when a recorded
 * message of its speaker arrives. It may be lost.
 */

import type { Message } from '../../conversation/wire/schemas.ts'

export type Role = 'human' | 'ai'

export type Partial = {
  readonly role: Role
  /** The whole text so far. Empty if it was withdrawn. */
  readonly text: string
  /** The newest version that the sending node knew. A later message of the speaker ends the text. */
  readonly after: number
}

export type PartialsOptions = {
  head(): number
  show(partial: Partial): void
  /** Sends a text to the other nodes. Undefined if the KV is not shared. */
  readonly publish: ((partial: Partial) => Promise<void>) | undefined
}

/** Milliseconds after the last update at which a text ends. */
export const partialMs = 15_000

/** Milliseconds between two texts of one speaker that are sent: at most 25 a second. */
const paceMs = 40

type Speaker = {
  latest: Partial | undefined
  /** The time at which `latest` ends, by `performance.now()`. */
  expiresAt: number
  /** The version of the speaker's newest message. */
  messageVersion: number
  /** The `seq` of the speaker's newest message. */
  messageSeq: number
  /** Whether `latest` belongs to a version above the head, so that it cannot be shown yet. */
  isEarly: boolean
  /** The earliest time at which the next text may be sent. */
  nextAt: number
  timer: ReturnType<typeof setTimeout> | undefined
  isPublishing: boolean
  /** The text that waits for `nextAt`. */
  unpublished: Partial | undefined
  /** The text that is published as soon as the text before it is published. */
  due: Partial | undefined
}

export class Partials {
  readonly #options: PartialsOptions
  readonly #speakers = new Map<Role, Speaker>()
  #firstVersion = 0

  constructor(options: PartialsOptions) {
    this.#options = options
  }

  /** Takes a text from a socket of this node, and sends at most one text per `paceMs`. */
  update(role: Role, text: string): void {
    const speaker = this.#speaker(role)
    const partial = { role, text, after: this.#options.head() }
    this.#setLatest(speaker, partial)
    speaker.unpublished = partial
    const wait = speaker.nextAt - performance.now()
    if (wait <= 0) this.#flush(speaker)
    else speaker.timer ??= setTimeout(() => this.#flush(speaker), wait)
  }

  /** Takes a text from another node. A text that a message has ended is dropped. */
  updateFromPeer(partial: Partial): void {
    const speaker = this.#speaker(partial.role)
    if (partial.after < speaker.messageVersion) return
    this.#setLatest(speaker, partial)
    speaker.isEarly = partial.after > this.#options.head()
    this.#show(speaker)
  }

  /**
   * Called with the first version that this node knows. Ends all texts of lower versions, because
   * this node does not know whether an earlier message has ended them.
   */
  startAt(version: number): void {
    this.#firstVersion = version
    for (const speaker of this.#speakers.values()) this.#endBefore(speaker, version)
  }

  /** A new message ends the interim text of its speaker. A change of an older message does not. */
  messageArrived({
    role,
    seq,
    version,
    state,
  }: Pick<Message, 'role' | 'seq' | 'version' | 'state'>): void {
    // A seat has no words yet. The interim text lasts until they arrive.
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

  /** Shows the texts that waited for the head to reach their version. */
  headMoved(): void {
    for (const speaker of this.#speakers.values()) {
      if (!speaker.isEarly || (speaker.latest?.after ?? 0) > this.#options.head()) continue
      speaker.isEarly = false
      this.#show(speaker)
    }
  }

  /** The texts that can be shown now, one for each speaker. */
  current(): Partial[] {
    return [...this.#speakers.values()].flatMap(({ latest }) =>
      latest !== undefined && latest.text !== '' && latest.after <= this.#options.head()
        ? [latest]
        : [],
    )
  }

  /** Whether no later text has replaced this text, and no message has ended it. */
  isLatest(partial: Partial): boolean {
    return this.#speakers.get(partial.role)?.latest === partial
  }

  /** Withdraws the texts that were not updated for `partialMs`. */
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

  /** Publishes one text at a time. Of the texts that arrive meanwhile, only the latest is published. */
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
