/** Write-ahead journal: each write is stored here before it is sent, and resent until the service acknowledges it. */
import { Problem } from '../../problem-error.ts'

/** A turn in the journal. */
export type TurnEntry = {
  /** The id of the conversation. */
  readonly conversationId: string
  /** The idempotency key. It names the turn within its conversation. */
  readonly key: string
  /** The turn as JSON text, which is sent byte for byte. */
  readonly turn: string
}

/** A write of a voice agent in the journal. */
export type SpeechEntry = {
  /** The id of the conversation. */
  readonly conversationId: string
  /** The name of the write within its conversation. It has a space in it, which no key of a turn has. */
  readonly key: string
  /** The frame as JSON text, without `id` and `c`, which each sending adds. */
  readonly speech: string
}

/** A write in the journal. */
export type JournalEntry = TurnEntry | SpeechEntry

/**
 * A journal. Yours may have any storage. The client uses only these members, and disposes of the journal when the client
 * is closed.
 */
export type Journal = JournalApi & AsyncDisposable

export type JournalApi = {
  /** The writes that an earlier run left, in the order in which they were appended. */
  readonly recovered: readonly JournalEntry[]
  /**
   * Stores a write. The client sends the write only after this promise has resolved.
   *
   * @param entry The write. Store its texts unchanged.
   * @returns A promise that resolves when the write is stored. If it rejects, the write must not be stored.
   * @throws `journal-full`, `journal-failed` The journal has no room, or its storage fails.
   * @example
   * const journal = createMemoryJournal()
   * const turn = JSON.stringify({ assistant: { responses: ['Hello!'] } })
   * await journal.append({ conversationId: id, key: 'turn-1', turn })
   */
  append(entry: JournalEntry): Promise<void>
  /**
   * Removes a write after its final answer. The removal may be lost: the write is then sent once more.
   *
   * @param entry The write.
   * @example
   * const journal = createMemoryJournal()
   * const entry = { conversationId: id, key: 'turn-1', turn: '{}' }
   * await journal.append(entry)
   * journal.remove(entry)
   */
  remove(entry: JournalEntry): void
}

/** The bounds of a journal. */
export type JournalBounds = {
  /**
   * How many writes may wait.
   *
   * @default 10_000
   */
  readonly entriesMax?: number
  /**
   * How many bytes all waiting writes may have together, as JSON.
   *
   * @default 67_108_864
   */
  readonly bytesMax?: number
}

/** An entry as JSON text, and the bytes that it counts for. */
export type StoredEntry = { readonly json: string; readonly bytes: number }

/** The entries of a journal within its bounds. Every journal counts with it. */
export type JournalContent = {
  readonly entries: ReadonlyMap<string, StoredEntry>
  /** The bytes of all entries. */
  bytes(): number
  /** Adds an entry. Throws `journal-full`. An entry of the same name is not added twice. */
  add(entry: JournalEntry, stored: StoredEntry): void
  /** Adds an entry of an earlier run, even if it exceeds the bounds of today. */
  restore(entry: JournalEntry, stored: StoredEntry): void
  /** Removes an entry. Returns whether it existed. */
  delete(entry: Pick<JournalEntry, 'conversationId' | 'key'>): boolean
}

/** The name of a write. It is unambiguous, because a conversation id has no space in it. */
export const entryName = ({ conversationId, key }: Pick<JournalEntry, 'conversationId' | 'key'>) =>
  `${conversationId} ${key}`

export function createJournalContent(bounds: JournalBounds): JournalContent {
  const { entriesMax = 10_000, bytesMax = 64 * 2 ** 20 } = bounds
  const entries = new Map<string, StoredEntry>()
  let bytes = 0
  const restore = (entry: JournalEntry, stored: StoredEntry) => {
    entries.set(entryName(entry), stored)
    bytes += stored.bytes
  }
  return {
    entries,
    bytes: () => bytes,
    restore,
    add(entry, stored) {
      if (entries.has(entryName(entry))) return
      // An entry larger than the whole journal never fits, so a retry is useless.
      const fits = stored.bytes <= bytesMax && entriesMax > 0
      if (entries.size + 1 > entriesMax || bytes + stored.bytes > bytesMax)
        throw new Problem(
          'journal-full',
          `${entries.size} writes of ${bytes} bytes wait for the service, and this one has ${stored.bytes}; the journal takes ${entriesMax} writes and ${bytesMax} bytes.`,
          { retryable: fits },
        )
      restore(entry, stored)
    },
    delete(entry) {
      const name = entryName(entry)
      bytes -= entries.get(name)?.bytes ?? 0
      return entries.delete(name)
    },
  }
}

const sizeOf = (entry: JournalEntry) =>
  entry.conversationId.length +
  entry.key.length +
  ('turn' in entry ? entry.turn : entry.speech).length

/**
 * Makes a journal in memory. It is lost with the process: use it in browsers, or if a crash may lose the last turns.
 *
 * @param bounds How many writes and bytes may wait.
 * @returns The journal, for `createClient`.
 * @example
 * await using bounded = createClient({ url, journal: createMemoryJournal({ entriesMax: 500 }) })
 */
export function createMemoryJournal(bounds: JournalBounds = {}): Journal {
  const content = createJournalContent(bounds)
  return {
    recovered: [],
    // The sender keeps the texts until they are sent. The journal counts only their sizes.
    append: async (entry) => content.add(entry, { json: '', bytes: sizeOf(entry) }),
    remove: (entry) => content.delete(entry),
    async [Symbol.asyncDispose]() {},
  }
}
