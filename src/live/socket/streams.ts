/**
 * Streams is the subscriptions of one socket, by conversation. Most sockets have one subscription,
 * which is kept without a Map to save memory.
 */
import type { Stream } from './stream.ts'

export class Streams implements Iterable<Stream> {
  #only: Stream | undefined
  /** All subscriptions, once there has been a second one. `#only` is then undefined. */
  #byConversation: Map<string, Stream> | undefined

  get size(): number {
    return this.#byConversation?.size ?? (this.#only === undefined ? 0 : 1)
  }

  get(conversationId: string): Stream | undefined {
    if (this.#byConversation !== undefined) return this.#byConversation.get(conversationId)
    return this.#only?.channel.conversationId === conversationId ? this.#only : undefined
  }

  /** Adds a subscription. The caller must have deleted an earlier one of the same conversation. */
  add(stream: Stream): void {
    if (this.#byConversation === undefined && this.#only === undefined) {
      this.#only = stream
      return
    }
    this.#byConversation ??= new Map(this.#entry(this.#only))
    this.#only = undefined
    this.#byConversation.set(stream.channel.conversationId, stream)
  }

  delete(stream: Stream): void {
    const { conversationId } = stream.channel
    if (this.get(conversationId) !== stream) return
    this.#only = undefined
    this.#byConversation?.delete(conversationId)
  }

  [Symbol.iterator](): Iterator<Stream> {
    if (this.#byConversation !== undefined) return this.#byConversation.values()
    return (this.#only === undefined ? [] : [this.#only]).values()
  }

  #entry(stream: Stream | undefined): [string, Stream][] {
    return stream === undefined ? [] : [[stream.channel.conversationId, stream]]
  }
}
