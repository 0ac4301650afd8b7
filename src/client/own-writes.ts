/**
 * What this client has written: the newest cursor of each conversation, to be sent as `minCursor`
 * with a read that must show the client's own writes and may be served from a cache.
 */
import { BoundedMap } from '../mechanics/bounded-map.ts'

export type OwnWrites = {
  /** `cursor` is at or after `version`, which the write took. */
  note(conversationId: string, version: number, cursor: string): void
  /** Undefined: nothing is known of a write here, and only a strong read is sure to show it. */
  cursorOf(conversationId: string): string | undefined
}

/** The oldest are forgotten first: their readers ask for a strong read instead. */
const conversationsMax = 1000

export function createOwnWrites(): OwnWrites {
  const newest = new BoundedMap<string, { version: number; cursor: string }>({
    max: conversationsMax,
  })
  return {
    note(conversationId, version, cursor) {
      const id = conversationId.toLowerCase()
      const known = newest.get(id)
      newest.set(id, known !== undefined && known.version > version ? known : { version, cursor })
    },
    cursorOf: (conversationId) => newest.get(conversationId.toLowerCase())?.cursor,
  }
}
