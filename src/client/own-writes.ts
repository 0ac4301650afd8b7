/**
 * OwnWrites remembers the newest cursor of each conversation that this client wrote to. A read with `own-writes` sends
 * it as `minCursor`, so that a cache may answer it.
 */
import { BoundedMap } from '../mechanics/bounded-map.ts'

export type OwnWrites = {
  /** Notes a write. `version` is the version of the write, and `cursor` is at or after it. */
  note(conversationId: string, version: number, cursor: string): void
  /** The newest cursor. Undefined if no write is remembered: only a strong read then shows all writes. */
  cursorOf(conversationId: string): string | undefined
}

/** Conversations that are remembered. Above that number the oldest are forgotten, and their reads become strong. */
const conversationsMax = 1000

export function createOwnWrites(): OwnWrites {
  const newest = new BoundedMap<string, { version: number; cursor: string }>({
    max: conversationsMax,
  })
  return {
    note(conversationId, version, cursor) {
      const id = conversationId.toLowerCase()
      const noted = newest.get(id)
      newest.set(id, noted !== undefined && noted.version > version ? noted : { version, cursor })
    },
    cursorOf: (conversationId) => newest.get(conversationId.toLowerCase())?.cursor,
  }
}
