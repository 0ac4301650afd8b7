/**
 * Stream is one subscription of a socket: the version of a conversation up to which changes were
 * sent. It advances until the socket is full. It has no queue, because the channel or the database
 * has the changes that were not sent.
 */
import { decodeCursor, encodeCursor } from '../../conversation/wire/ids.ts'
import type { Conversation } from '../../conversation/wire/schemas.ts'
import { Problem } from '../../problem.ts'
import type { Channel } from '../following/channel.ts'
import type { Follower, ResetReason } from '../following/follower.ts'
import type { Partial, Role } from '../following/partials.ts'
import { erasedText, snapshotText, textOf } from '../protocol/frame-text.ts'
import type { ClientFrames } from '../protocol/protocol.ts'
import type { Outbox } from './outbox.ts'

export type StreamOwner = {
  /** Called when the subscription has ended. The subscription sends no frame after that. */
  streamEnded(stream: Stream): void
}

const noRoles: readonly Role[] = []

export class Stream implements Follower {
  readonly channel: Channel
  last: number | undefined
  /** The version in the last ping. */
  pingedVersion = 0
  readonly #outbox: Outbox
  readonly #owner: StreamOwner
  /** The speakers whose interim texts the client shows. */
  #shownRoles = noRoles
  #isLive = false
  #isOver = false

  constructor(channel: Channel, outbox: Outbox, owner: StreamOwner) {
    this.channel = channel
    this.#outbox = outbox
    this.#owner = owner
  }

  /** Whether the client has been sent every committed change. */
  get isLive(): boolean {
    return this.#isLive
  }

  /**
   * Begins delivery. Fails with `conversation-not-found`, `conversation-erased`, `cursor-invalid`
   * or a `database-` code, and then the subscription has ended.
   */
  async start({ id, c, cursor, tail }: ClientFrames['sub']): Promise<void> {
    const { channel } = this
    const named = id === undefined ? { c } : { id, c }
    try {
      const since = cursor === undefined ? undefined : decodeCursor(c, cursor)
      channel.join(this)
      const head = await channel.check()
      if (this.#isOver) return
      if (head === undefined) throw new Problem('conversation-not-found')
      if (head.isErased) throw new Problem('conversation-erased')
      if (since !== undefined && since > Math.max(head.version, channel.head)) {
        this.#send(textOf({ t: 'reset', ...named, reason: 'cursor-ahead' }))
        this.stop()
        return
      }
      let snapshot: string | undefined
      let version = since ?? channel.head
      if (tail !== undefined) {
        const read = await channel.snapshot(tail)
        if (this.#isOver) return
        if (read.state === 'missing') throw new Problem('conversation-not-found')
        if (read.state === 'erased') throw new Problem('conversation-erased')
        version = read.snapshot.conversation.version
        snapshot = snapshotText(c, read.snapshot, tail)
      }
      // The conversation was erased while an older state was being read.
      if (channel.absent === 'conversation-erased') throw new Problem('conversation-erased')
      const recovered = since !== undefined
      this.#send(textOf({ t: 'subscribed', ...named, cursor: encodeCursor(c, version), recovered }))
      if (snapshot !== undefined) this.#send(snapshot)
      this.last = version
      this.pingedVersion = version
      this.advance()
    } catch (thrown) {
      if (this.#isOver) return
      this.stop()
      throw thrown
    }
  }

  advance(): void {
    const { channel } = this
    while (!this.#isOver && this.last !== undefined) {
      if (this.#outbox.isFull) {
        this.#isLive = false
        return
      }
      if (this.last >= channel.head) {
        if (!this.#isLive) this.#goLive(this.last)
        return
      }
      const next = channel.after(this.last)
      if (next === undefined) {
        channel.need(this)
        return
      }
      this.last = next.version
      this.#send(next.text)
    }
  }

  reset(reason: ResetReason, conversation?: Conversation): void {
    if (this.#isOver) return
    const { conversationId: c } = this.channel
    if (conversation !== undefined) this.#send(erasedText(c, this.last ?? 0, conversation))
    this.#send(textOf({ t: 'reset', c, reason }))
    this.stop()
  }

  show({ role, text }: Partial): void {
    if (!this.#isLive || this.#isOver) return
    // A crowd is served in steps, so a text may reach a follower before an earlier message does.
    if ((this.last ?? 0) < this.channel.head) this.advance()
    if (this.#outbox.isFull) {
      // A follower that lacks changes gets the latest text after these changes.
      this.#isLive = false
      return
    }
    const others = this.#shownRoles.filter((other) => other !== role)
    this.#shownRoles = text === '' ? others : [...others, role]
    this.#send(textOf({ t: 'partial', c: this.channel.conversationId, role, text }))
  }

  /** Ends the subscription. No further frame is sent. */
  stop(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.channel.leave(this)
    this.#owner.streamEnded(this)
  }

  #goLive(version: number): void {
    this.#isLive = true
    this.#send(textOf({ t: 'live', c: this.channel.conversationId, version }))
    const current = this.channel.currentPartials()
    for (const role of this.#shownRoles)
      if (!current.some((partial) => partial.role === role))
        this.show({ role, text: '', after: version })
    for (const partial of current) this.show(partial)
  }

  #send(text: string): void {
    this.#outbox.send(text)
  }
}

/** The version sent last of each conversation, if it changed since the last ping. */
export function newHeads(streams: Iterable<Stream>): Record<string, number> {
  const heads: Record<string, number> = {}
  for (const stream of streams) {
    if (!stream.isLive || stream.last === undefined || stream.last === stream.pingedVersion)
      continue
    stream.pingedVersion = stream.last
    heads[stream.channel.conversationId] = stream.last
  }
  return heads
}
