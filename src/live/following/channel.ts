/**
 * Channel is one conversation that this node follows: its head (newest version), its recent changes
 * and its followers (subscriptions). A follower takes the changes that it lacks from the channel,
 * which reads older ones from the database. A partial is an interim text: the words of a speaker so
 * far, before the message is recorded.
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
  /** Sends a partial to the other nodes. Undefined if the KV is not shared. */
  readonly publish: ((channel: Channel, partial: SentPartial) => Promise<void>) | undefined
  /**
   * Reports that the database's head, `databaseHead`, is below `knownVersion`, which this node has
   * seen: the database was restored from a backup or replaced.
   */
  wentBack(channel: Channel, knownVersion: number, databaseHead: number): void
}

/** How many pages of recent changes a channel keeps. */
const keptPages = 2

export class Channel {
  readonly conversationId: string
  readonly principal: Principal
  /** The number of users: followers, and sockets that send partials without following. */
  holders = 0
  idleSince = performance.now()
  /**
   * The highest version that another node has announced (a hint). The poll compares it with the
   * database.
   */
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
  /** The highest version that was announced before the head was read. */
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
        // An empty text ends a partial, so no later text makes it outdated.
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

  /** The present partial of each speaker that has one. */
  currentPartials(): readonly Partial[] {
    return this.#madePartials?.current() ?? []
  }

  /** Takes a partial from the KV. One that this node sent itself is dropped. */
  peerPartial({ node, ...partial }: SentPartial): void {
    if (node !== this.#host.node) this.partials.updateFromPeer(partial)
  }

  /**
   * Registers a follower. Call it before the follower reads the head; otherwise the follower could
   * miss a change between its reading and its joining.
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
    this.#compared(current, before)
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
        // The head moves after each slice, so a socket that is full stops there and takes the rest
        // later.
        this.#moved(slice.version)
      }
    }
    this.#moved(version)
  }

  /**
   * Takes a hint: another node says that the conversation has this version. The channel believes
   * only the database, so it looks there for newer changes.
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
   * Takes the version that the database has. `before` is the head when it was requested. A missing
   * or erased conversation, and a version below `before` (the database went back), need a read.
   */
  #compared(current: CurrentVersion | undefined, before: number): void {
    if (current === undefined) this.absent ??= 'conversation-not-found'
    if (current === undefined || current.isErased || current.version < before) this.#refills.probe()
    else this.#moved(current.version)
    if (this.#earlyHint > this.#head) this.#refills.probe()
    this.#earlyHint = 0
  }

  /** Takes the result of a read from version `from`. `before` is the head when the read began. */
  #refilled(read: ChangesRead, from: number, before: number): void {
    if (read.state === 'found') {
      const { slice, head } = read
      if (slice.version > slice.from) {
        this.#slices.add(slice)
        for (const message of slice.messages) this.partials.messageArrived(message)
      }
      this.#moved(head)
      // The database went back. Another read finds out to which version.
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
      // `behind`: the database's head is below the version from which the read began.
      this.#host.wentBack(this, from, read.head)
      this.#madePartials?.clear()
      this.#head = read.head
      this.#followers.reset('cursor-ahead', ({ last = 0 }) => last > read.head)
    }
  }

  #moved(version: number): void {
    if (version <= this.#head) return
    // With the first head, older partials are dropped: a message that this node has not seen may
    // have ended them.
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
