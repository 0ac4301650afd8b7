/**
 * Channel is one conversation that this node follows: its head, its recent changes and its
 * followers. A follower takes the changes that it lacks from the channel, which reads older ones
 * from the database.
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
import { type ReadySlice, Slices, splitSlice } from './slices.ts'
import type { SentPartial } from './wakes.ts'

/** The parts of a node that all its channels share. */
export type ChannelHost = {
  readonly reads: LiveReads
  readonly versions: Versions
  readonly page: { readonly limit: number; readonly bytesMax: number }
  /** The share of the event loop for delivery to crowds of followers. */
  readonly share: LoopShare
  /** The id of this node in messages to other nodes. */
  readonly node: string
  /** Sends an interim text to the other nodes. Undefined if the KV is not shared. */
  readonly publish: ((channel: Channel, partial: SentPartial) => Promise<void>) | undefined
  /**
   * Reports that the database's head is below the versions already sent: it was restored or
   * replaced.
   */
  wentBack(channel: Channel, from: number, to: number): void
}

/** How many pages of recent changes a channel keeps. */
const keptPages = 2

export class Channel {
  readonly conversationId: string
  readonly principal: Principal
  /** The number of followers and of sockets that send interim texts without following. */
  holders = 0
  idleSince = performance.now()
  /** The highest version in any hint. The poll compares it with the database. */
  hintedVersion = 0
  /** The reason why the conversation cannot be followed. An erasure is final. */
  absent: 'conversation-not-found' | 'conversation-erased' | undefined
  readonly #host: ChannelHost
  readonly #followers: Followers
  readonly #slices: Slices
  // Created on first use: they are most of the memory of a conversation without activity.
  #madePartials: Partials | undefined
  #madeRefills: Refills<Follower> | undefined
  #snapshot: SharedSnapshot | undefined
  #head = 0
  /** The highest version of the hints that arrived before the head was read. */
  #earlyHint = 0
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
      crowded: () => this.#crowd.isPresent,
      done: (read, from, before) => this.#refilled(read, from, before),
      wake: (followers) => this.#followers.advanceSome(followers),
    })
    if (this.#isClosed) this.#madeRefills.close()
    return this.#madeRefills
  }

  get head(): number {
    return this.#head
  }

  /** The present interim text of each speaker that has one. */
  currentPartials(): readonly Partial[] {
    return this.#madePartials?.current() ?? []
  }

  /** Takes an interim text from the KV. A text of this node is already known, and is dropped. */
  peerPartial({ node, ...partial }: SentPartial): void {
    if (node !== this.#host.node) this.partials.updateFromPeer(partial)
  }

  /**
   * Registers the follower before it reads the head, so that it misses no change between the two.
   */
  join(follower: Follower): void {
    this.#followers.join(follower)
    this.#crowd.addJoin()
  }

  leave(follower: Follower): void {
    this.#followers.delete(follower)
    this.#madeRefills?.forget(follower)
  }

  /** Reads the conversation's version now. Fails with a `database-` code. */
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

  /** The kept changes after version `last`. Undefined if none are kept: then `need` reads them. */
  after(last: number): ReadySlice | undefined {
    return this.#slices.after(last)
  }

  /** Reads the changes that the follower lacks, then calls its `advance`. */
  need(follower: Follower): void {
    this.#refills.need(follower)
  }

  /** Takes a commit of this node and wakes the followers. */
  committed({ from, version, messages, touched }: Commit): void {
    if (touched === 'erased') {
      this.#forget()
      this.#refills.probe()
      return
    }
    for (const message of messages) this.partials.messageArrived(message)
    // A commit carries messages only. Followers read other rows from the database.
    if (touched === 'messages' && messages.length > 0) {
      const whole = { from, version, messages, segments: [], voiceSessions: [] }
      for (const slice of splitSlice(whole, this.#host.page.bytesMax)) {
        this.#slices.add(slice)
        // The head moves slice by slice, so that delivery to a full socket stops between two
        // slices.
        this.#moved(slice.version)
      }
    }
    this.#moved(version)
  }

  /**
   * Another node may have reached this version. The channel believes only the database and reads
   * it.
   */
  hint(version: number): void {
    this.hintedVersion = Math.max(this.hintedVersion, version)
    if (this.#head === 0) this.#earlyHint = this.hintedVersion
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

  /**
   * `before` is the head at the time of the question. A lower answer means that the database went
   * back.
   */
  #checked(current: CurrentVersion | undefined, before: number): void {
    if (current === undefined) this.absent ??= 'conversation-not-found'
    if (current === undefined || current.isErased || current.version < before) this.#refills.probe()
    else this.#moved(current.version)
    if (this.#earlyHint > this.#head) this.#refills.probe()
    this.#earlyHint = 0
  }

  #refilled(read: ChangesRead, from: number, before: number): void {
    if (read.state === 'there') {
      const { slice, head } = read
      if (slice.version > slice.from) {
        this.#slices.add(slice)
        for (const message of slice.messages) this.partials.messageArrived(message)
      }
      this.#moved(head)
      // A head below the one known before the read means that the database went back.
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
    // An earlier message, unknown to this node, may have ended interim texts of lower versions.
    if (this.#head === 0) this.#madePartials?.startAt(version)
    if (this.absent === 'conversation-not-found') this.absent = undefined
    this.#head = version
    this.#followers.advance()
    this.#madePartials?.headMoved()
  }

  #forget(): void {
    this.#slices.clear()
    this.#snapshot = undefined
  }
}
