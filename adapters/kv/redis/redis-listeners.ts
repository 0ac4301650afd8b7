/** Listeners to partitions: which of them a message on a channel concerns. */
import type { Buffer } from 'node:buffer'
import { unpackList } from './redis-frames.ts'

/** A way to hear channels: one server's, or a cluster's. */
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
  /** Names are of keys within the partition whose channel it is. */
  add(channel: string, names: readonly string[], onChange: () => void): () => void
  ready(): boolean
  close(): void
}

type Listener = { readonly names: readonly string[]; readonly onChange: () => void }

/** Mostly one listener and a key or two: there are thousands of these, and a Map in each would be dear. */
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
