/**
 * Listeners to changes of partitions. It finds the listeners that a message on a channel concerns.
 */
import type { Buffer } from 'node:buffer'
import { unpackList } from './redis-frames.ts'

/** The subscriptions to channels, of one server or of a Cluster. */
export type Subscriptions = {
  want(channel: string): void
  drop(channel: string): void
  ready(): boolean
  close(): void
}

export type ChannelHandlers = {
  onMessage(channel: string, message: Buffer): void
  onSubscribed(channel: string): void
}

export type Listeners = {
  /**
   * Adds a listener to some keys of a partition.
   * @param names The keys, without their first two parts.
   * @param onChange Called when the subscription begins, after each change of one of the keys, and
   *   whenever a change may have been missed.
   * @returns A function that removes the listener.
   */
  add(channel: string, names: readonly string[], onChange: () => void): () => void
  ready(): boolean
  close(): void
}

type Listener = { readonly names: readonly string[]; readonly onChange: () => void }

/**
 * The listeners of a channel. There are thousands of audiences, most with one listener of one or
 * two keys, so a Map in each would be expensive.
 */
type Audience = { isSubscribed: boolean; listeners: Listener[] }

export function createListeners(open: (handlers: ChannelHandlers) => Subscriptions): Listeners {
  const audiences = new Map<string, Audience>()

  const tellAll = (audience: Audience | undefined) => {
    for (const { onChange } of audience?.listeners ?? []) onChange()
  }
  const subscriptions = open({
    onMessage(channel, message) {
      const audience = audiences.get(channel)
      if (message.length === 0) return tellAll(audience)
      const { items } = unpackList(message)
      const changed = new Set(items.map(({ start, end }) => message.toString('latin1', start, end)))
      for (const { names, onChange } of audience?.listeners ?? [])
        if (names.some((name) => changed.has(name))) onChange()
    },
    onSubscribed(channel) {
      const audience = audiences.get(channel)
      if (audience === undefined) return
      audience.isSubscribed = true
      tellAll(audience)
    },
  })

  return {
    add(channel, names, onChange) {
      const audience: Audience = audiences.get(channel) ?? { isSubscribed: false, listeners: [] }
      const listener = { names, onChange }
      audience.listeners.push(listener)
      if (!audiences.has(channel)) {
        audiences.set(channel, audience)
        subscriptions.want(channel)
      } else if (audience.isSubscribed) onChange()
      return () => {
        audience.listeners = audience.listeners.filter((each) => each !== listener)
        if (audience.listeners.length > 0 || audiences.get(channel) !== audience) return
        audiences.delete(channel)
        subscriptions.drop(channel)
      }
    },
    ready: () => subscriptions.ready(),
    close: () => subscriptions.close(),
  }
}
