/** Write-ahead journal: each write is stored here before it is sent, and sent again until the service has it. */
import { Problem } from '../../problem-error.ts'

export type TurnEntry = {
  readonly conversationId: string
  /** With the conversation, what names the turn. */
  readonly key: string
  /** The turn as JSON text: sent byte for byte. */
  readonly turn: string
}

export type SpeechEntry = {
  readonly conversationId: string
  /** With the conversation, what names the write; no turn has a key with a space in it. */
  readonly key: string
  /** The frame as JSON text, without `id` and `c`, which belong to its sending. */
  readonly speech: string
}

export type JournalEntry = TurnEntry | SpeechEntry

export type Journal = AsyncDisposable & {
  /** What an earlier run has left, in the order in which it was appended. */
  readonly recovered: readonly JournalEntry[]
  /** Resolves when it is kept. Rejects with `journal-full` or `journal-failed`, and then nothing is kept. */
  append(entry: JournalEntry): Promise<void>
  /** The service has it, or will never take it. May be forgotten: it is then sent once more. */
  remove(entry: JournalEntry): void
}

export type JournalBounds = {
  /** How many writes may wait. @default 10_000 */
  readonly entriesMax?: number
  /** How many bytes all of them may have together, as JSON. @default 67_108_864 */
  readonly bytesMax?: number
}

/** An entry as JSON text, and the bytes that it counts for. */
export type Kept = { readonly json: string; readonly bytes: number }

/** The entries that are kept, within their bounds: what every journal counts with. */
export type Held = {
  readonly entries: ReadonlyMap<string, Kept>
  bytes(): number
  /** Throws `journal-full`. What is in it is not added twice. */
  add(entry: JournalEntry, kept: Kept): void
  /** What an earlier run has left: kept whatever the bounds are now. */
  restore(entry: JournalEntry, kept: Kept): void
  delete(entry: Pick<JournalEntry, 'conversationId' | 'key'>): boolean
}

/** Names a write. Unambiguous, because a conversation id has no space in it. */
export const entryName = ({ conversationId, key }: Pick<JournalEntry, 'conversationId' | 'key'>) =>
  `${conversationId} ${key}`

export function createHeld(bounds: JournalBounds): Held {
  const { entriesMax = 10_000, bytesMax = 64 * 2 ** 20 } = bounds
  const entries = new Map<string, Kept>()
  let held = 0
  const restore = (entry: JournalEntry, kept: Kept) => {
    entries.set(entryName(entry), kept)
    held += kept.bytes
  }
  return {
    entries,
    bytes: () => held,
    restore,
    add(entry, kept) {
      if (entries.has(entryName(entry))) return
      // An entry larger than the whole journal never fits, so a retry is useless.
      const fits = kept.bytes <= bytesMax && entriesMax > 0
      if (entries.size + 1 > entriesMax || held + kept.bytes > bytesMax)
        throw new Problem(
          'journal-full',
          `${entries.size} writes of ${held} bytes wait for the service, and this one has ${kept.bytes}; the journal takes ${entriesMax} writes and ${bytesMax} bytes.`,
          { retryable: fits },
        )
      restore(entry, kept)
    },
    delete(entry) {
      const name = entryName(entry)
      held -= entries.get(name)?.bytes ?? 0
      return entries.delete(name)
    },
  }
}

const sizeOf = (entry: JournalEntry) =>
  entry.conversationId.length +
  entry.key.length +
  ('turn' in entry ? entry.turn : entry.speech).length

/**
 * A journal that lasts as long as the process: for browsers, and where a crash may lose the last turns.
 *
 * @example createClient({ url, journal: createMemoryJournal({ entriesMax: 500 }) })
 */
export function createMemoryJournal(bounds: JournalBounds = {}): Journal {
  const held = createHeld(bounds)
  return {
    recovered: [],
    // The sender holds the texts until they are sent; here only their sizes are counted.
    append: async (entry) => held.add(entry, { json: '', bytes: sizeOf(entry) }),
    remove: (entry) => held.delete(entry),
    async [Symbol.asyncDispose]() {},
  }
}
