/** What a write is written to before it is sent, so that it is sent until the service has it. */
import type { NewTurn } from '../conversation/wire.ts'
import { Problem } from '../problem.ts'
import type { SpeechFrame } from './speech.ts'

export type TurnEntry = {
  readonly conversationId: string
  /** With the conversation, what names the turn. */
  readonly key: string
  readonly turn: NewTurn
}

export type SpeechEntry = {
  readonly conversationId: string
  /** With the conversation, what names the write; no turn has a key with a space in it. */
  readonly key: string
  readonly speech: SpeechFrame
}

export type JournalEntry = TurnEntry | SpeechEntry

export type Journal = AsyncDisposable & {
  /** What an earlier run has left, in the order in which it was appended. */
  readonly recovered: readonly JournalEntry[]
  /** Resolves when it is kept. Rejects with `journal-full`, and then nothing is kept. */
  append(entry: JournalEntry): Promise<void>
  /** The service has it, or will never take it. May be forgotten: it is then sent once more. */
  remove(entry: JournalEntry): void
}

export type JournalBounds = {
  /** 10,000 unless said otherwise. */
  readonly entriesMax?: number
  /** Of all entries together, as JSON; 64 MiB unless said otherwise. */
  readonly bytesMax?: number
}

/** The entries that are kept, within their bounds: what every journal counts with. */
export type Held = {
  readonly entries: ReadonlyMap<string, { readonly entry: JournalEntry; readonly bytes: number }>
  bytes(): number
  /** Throws `journal-full`. What is in it is not added twice. */
  add(entry: JournalEntry, bytes: number): void
  /** What an earlier run has left: kept whatever the bounds are now. */
  restore(entry: JournalEntry, bytes: number): void
  delete(entry: Pick<JournalEntry, 'conversationId' | 'key'>): boolean
}

/** An id has no space in it. */
const nameOf = ({ conversationId, key }: Pick<JournalEntry, 'conversationId' | 'key'>) =>
  `${conversationId} ${key}`

export function createHeld(bounds: JournalBounds): Held {
  const { entriesMax = 10_000, bytesMax = 64 * 2 ** 20 } = bounds
  const entries = new Map<string, { entry: JournalEntry; bytes: number }>()
  let held = 0
  const keep = (entry: JournalEntry, bytes: number) => {
    entries.set(nameOf(entry), { entry, bytes })
    held += bytes
  }
  return {
    entries,
    bytes: () => held,
    restore: keep,
    add(entry, bytes) {
      if (entries.has(nameOf(entry))) return
      if (entries.size + 1 > entriesMax || held + bytes > bytesMax)
        throw new Problem(
          'journal-full',
          `${entries.size} turns of ${held} bytes wait for the service; the journal takes ${entriesMax} turns and ${bytesMax} bytes.`,
        )
      keep(entry, bytes)
    },
    delete(entry) {
      const name = nameOf(entry)
      held -= entries.get(name)?.bytes ?? 0
      return entries.delete(name)
    },
  }
}

/** Lasts as long as the process: for browsers, and where a crash may lose the last turns. */
export function createMemoryJournal(bounds: JournalBounds = {}): Journal {
  const held = createHeld(bounds)
  return {
    recovered: [],
    append: async (entry) => held.add(entry, JSON.stringify(entry).length),
    remove: (entry) => held.delete(entry),
    async [Symbol.asyncDispose]() {},
  }
}
