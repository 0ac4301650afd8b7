/**
 * Channel is one conversation as this node follows it: its head, its recent changes, and its followers.
 * A follower draws what it lacks from here; what is not here is read from the database.
 */

import type { ChangesRead, LiveReads } from '../../conversation/reading/live-reads.ts'
import type { CurrentVersion, Versions } from '../../conversation/reading/versions.ts'
import type { Principal } from '../../conversation/wire/principal.ts'
import type { Commit } from '../../conversation/writing/effects.ts'
import type { LoopShare } from '../../mechanics/loop-share.ts'
import { Crowd } from './crowd.ts'
import type { Follower } from './follower.ts'
import { Followers } from './followers.ts'
import { type Partial, Partials } from './partials.ts'
import { Refills } from './refills.ts'
import { SharedSnapshot } from './shared-snapshot.ts'
import { parted, type ReadySlice, Slices } from './slices.ts'
import type { SentPartial } from './wakes.ts'

/** What all conversations of a node share. */
export type ChannelHost = {
  readonly reads: LiveReads
  readonly versions: Versions
  readonly page: { readonly limit: number; readonly bytesMax: number }
  /** The share of the event loop in which crowds of followers are served. */
  readonly share: LoopShare
  /** The name under which this node speaks to the others. */
  readonly node: string
  /** Undefined where there are none to tell. */
  readonly publish: ((channel: Channel, partial: SentPartial) => Promise<void>) | undefined
  /** The database's head lies before what was sent: it is another one, or was restored. */
  wentBack(channel: Channel, from: number, to: number): void
}

/** How much of its recent changes a channel keeps, in pages. */
const keptPages = 2

export class Channel {
  readonly conversationId: string
  readonly principal: Principal
  /** Who keeps it open: followers, and sockets that speak without following. */
  holders = 0
  idleSince = performance.now()
  /** The highest version of all hints, for the poll to compare. */
  hinted = 0
  /** Why there is nothing to follow. An erasure is for good. */
  absent: 'conversation-not-found' | 'conversation-erased' | undefined
  readonly #host: ChannelHost
  readonly #followers: Followers
  readonly #slices: Slices
  // Made once they are needed: where nothing happens, they are most of what a conversation costs.
  #madePartials: Partials | undefined
  #madeRefills: Refills<Follower> | undefined
  #snapshot: SharedSnapshot | undefined
  #head = 0
  /** The highest version of hints that came before the head was known. */
  #wanted = 0
  readonly #crowd = new Crowd()
  #isClosed = false

  constructor(host: ChannelHost, principal: Principal, conversationId: string) {
    this.#host = host
    this.conversationId = conversationId
    this.principal = principal
    this.#followers = new Followers(host.share)
    this.#slices = new Slices(conversationId, keptPages * host.page.bytesMax)
  }

  get partials(): Partials {
    if (this.#madePartials !== undefined) return this.#madePartials
    const { node, publish } = this.#host
    const made = new Partials({
      head: () => this.#head,
      publish: publish && ((partial) => publish(this, { ...partial, node })),
      show: (partial) =>
        this.#followers.show(partial, (shown) => shown.text === '' || made.isLatest(shown)),
    })
    if (this.#head > 0) made.startAt(this.#head)
    this.#madePartials = made
    return made
  }

  get #refills(): Refills<Follower> {
    const { reads, page } = this.#host
    this.#madeRefills ??= new Refills({
      read: (from) => reads.changes(this.principal, this.conversationId, from, page),
      head: () => this.#head,
      crowded: () => this.#crowd.isHere,
      done: (read, from, before) => this.#refilled(read, from, before),
      wake: (followers) => this.#followers.advanceSome(followers),
    })
    if (this.#isClosed) this.#madeRefills.close()
    return this.#madeRefills
  }

  get head(): number {
    return this.#head
  }

  /** The interim texts of now. */
  currentPartials(): readonly Partial[] {
    return this.#madePartials?.current() ?? []
  }

  /** Takes an interim text that came through the KV; those of this node are known already. */
  peerPartial({ node, ...partial }: SentPartial): void {
    if (node !== this.#host.node) this.partials.fromPeer(partial)
  }

  /** Registers the follower before it reads anything, so that no change falls between. */
  join(follower: Follower): void {
    this.#followers.join(follower)
    this.#crowd.add()
  }

  leave(follower: Follower): void {
    this.#followers.delete(follower)
    this.#madeRefills?.forget(follower)
  }

  /** The conversation's version as of a moment after the call. Fails with a `database-` code. */
  async check(): Promise<CurrentVersion | undefined> {
    const before = this.#head
    const current = await this.#host.versions.current(this.principal.tenant, this.conversationId)
    this.#checked(current, before)
    return current
  }

  snapshot(last: number): ReturnType<LiveReads['snapshot']> {
    const { reads, page } = this.#host
    this.#snapshot ??= new SharedSnapshot((limit) =>
      reads.snapshot(this.principal, this.conversationId, { ...page, limit }),
    )
    return this.#snapshot.take(last)
  }

  /** What follows `last`; undefined where it must be asked for with `need`. */
  after(last: number): ReadySlice | undefined {
    return this.#slices.after(last)
  }

  /** Reads what the follower lacks, and has it advance then. */
  need(follower: Follower): void {
    this.#refills.need(follower)
  }

  /** A commit of this node. */
  committed({ from, version, messages, touched }: Commit): void {
    if (touched === 'erased') {
      this.#forget()
      this.#refills.probe()
      return
    }
    for (const message of messages) this.partials.spoken(message)
    // What else was touched is in the database alone.
    if (touched === 'messages' && messages.length > 0) {
      const whole = { from, version, messages, segments: [], voiceSessions: [] }
      for (const slice of parted(whole, this.#host.page.bytesMax)) {
        this.#slices.add(slice)
        // A part at a time, so that a reader who has enough gets no more.
        this.#moved(slice.version)
      }
    }
    this.#moved(version)
  }

  /** Another node may have reached this version. Nothing is believed but that it is worth a look. */
  hint(version: number): void {
    this.hinted = Math.max(this.hinted, version)
    if (this.#head === 0) this.#wanted = this.hinted
    else if (version > this.#head && this.holders > 0) this.#refills.probe()
  }

  tick(now: number): void {
    this.#slices.tick(now)
    this.#snapshot?.tick(now)
    this.#madePartials?.tick(now)
  }

  close(): void {
    this.#isClosed = true
    this.#madeRefills?.close()
    this.#madePartials?.clear()
    this.#forget()
  }

  /** `before`: the head before it was asked; it cannot lie behind that, unless history has changed. */
  #checked(current: CurrentVersion | undefined, before: number): void {
    if (current === undefined) this.absent ??= 'conversation-not-found'
    if (current === undefined || current.isErased || current.version < before) this.#refills.probe()
    else this.#moved(current.version)
    if (this.#wanted > this.#head) this.#refills.probe()
    this.#wanted = 0
  }

  #refilled(read: ChangesRead, from: number, before: number): void {
    if (read.state === 'there') {
      const { slice, head } = read
      if (slice.version > slice.from) {
        this.#slices.add(slice)
        for (const message of slice.messages) this.partials.spoken(message)
      }
      this.#moved(head)
      // It cannot lie behind what was known before, unless history has changed.
      if (head < before) this.#refills.probe()
      return
    }
    this.#forget()
    if (read.state === 'missing') this.#followers.reset('conversation-not-found', () => true)
    else if (read.state === 'erased') {
      this.absent = 'conversation-erased'
      this.#madePartials?.clear()
      this.#followers.reset('conversation-erased', () => true, read.conversation)
    } else {
      this.#host.wentBack(this, from, read.head)
      this.#madePartials?.clear()
      this.#head = read.head
      this.#followers.reset('cursor-ahead', ({ last = 0 }) => last > read.head)
    }
  }

  #moved(version: number): void {
    if (version <= this.#head) return
    // A message that this node has not seen may have ended interim texts from before that.
    if (this.#head === 0) this.#madePartials?.startAt(version)
    if (this.absent === 'conversation-not-found') this.absent = undefined
    this.#head = version
    this.#followers.advance()
    this.#madePartials?.moved()
  }

  #forget(): void {
    this.#slices.clear()
    this.#snapshot = undefined
  }
}
