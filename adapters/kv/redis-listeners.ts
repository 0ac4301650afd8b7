/** Who is told when a partition's channel has something to say. */
import type { Buffer } from 'node:buffer'
import { unpackList } from './redis-frames.ts'

/** A way to hear channels: one server's, or a cluster's. */
export type Ears = {
  want(channel: string): void
  drop(channel: string): void
  ready(): boolean
  close(): void
}

export type HeardBy = {
  onMessage(channel: string, message: Buffer): void
  onHeard(channel: string): void
}

export type Listeners = {
  /** Names are of keys within the partition whose channel it is. */
  add(channel: string, names: readonly string[], onChange: () => void): () => void
  ready(): boolean
  close(): void
}

type Audience = { isHeard: boolean; readonly byName: Map<string, Set<() => void>> }

export function createListeners(open: (heardBy: HeardBy) => Ears): Listeners {
  const audiences = new Map<string, Audience>()

  const tellAll = (audience: Audience | undefined) => {
    for (const set of audience?.byName.values() ?? []) for (const onChange of set) onChange()
  }
  const ears = open({
    onMessage(channel, message) {
      const audience = audiences.get(channel)
      if (message.length === 0) return tellAll(audience)
      const { items } = unpackList(message)
      for (const { start, end } of items) {
        for (const onChange of audience?.byName.get(message.toString('latin1', start, end)) ?? [])
          onChange()
      }
    },
    onHeard(channel) {
      const audience = audiences.get(channel)
      if (audience === undefined) return
      audience.isHeard = true
      tellAll(audience)
    },
  })

  return {
    add(channel, names, onChange) {
      const audience = audiences.get(channel) ?? { isHeard: false, byName: new Map() }
      for (const name of names) {
        audience.byName.set(name, (audience.byName.get(name) ?? new Set()).add(onChange))
      }
      if (!audiences.has(channel)) {
        audiences.set(channel, audience)
        ears.want(channel)
      } else if (audience.isHeard) onChange()
      return () => {
        for (const name of names) {
          const set = audience.byName.get(name)
          set?.delete(onChange)
          if (set?.size === 0) audience.byName.delete(name)
        }
        if (audience.byName.size > 0 || audiences.get(channel) !== audience) return
        audiences.delete(channel)
        ears.drop(channel)
      }
    },
    ready: ears.ready,
    close: ears.close,
  }
}
