/** The subscriptions of one socket, by conversation. Mostly it is one, for which a Map would be dear. */
import type { Stream } from './stream.ts'

export class Streams implements Iterable<Stream> {
  #only: Stream | undefined
  /** Instead of the one, once there was a second. */
  #many: Map<string, Stream> | undefined

  get size(): number {
    return this.#many?.size ?? (this.#only === undefined ? 0 : 1)
  }

  get(conversationId: string): Stream | undefined {
    if (this.#many !== undefined) return this.#many.get(conversationId)
    return this.#only?.channel.conversationId === conversationId ? this.#only : undefined
  }

  /** In place of none: the one before was deleted. */
  add(stream: Stream): void {
    if (this.#many === undefined && this.#only === undefined) {
      this.#only = stream
      return
    }
    this.#many ??= new Map(this.#entry(this.#only))
    this.#only = undefined
    this.#many.set(stream.channel.conversationId, stream)
  }

  delete(stream: Stream): void {
    const { conversationId } = stream.channel
    if (this.get(conversationId) !== stream) return
    this.#only = undefined
    this.#many?.delete(conversationId)
  }

  [Symbol.iterator](): Iterator<Stream> {
    if (this.#many !== undefined) return this.#many.values()
    return (this.#only === undefined ? [] : [this.#only]).values()
  }

  #entry(stream: Stream | undefined): [string, Stream][] {
    return stream === undefined ? [] : [[stream.channel.conversationId, stream]]
  }
}
