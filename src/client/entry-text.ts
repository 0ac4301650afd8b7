/** Entries of the journal as texts: what is compared, and what is sent. */
import { frameText } from './frames.ts'
import type { JournalEntry } from './journal.ts'

export const textOf = (entry: JournalEntry): string => ('turn' in entry ? entry.turn : entry.speech)

export function frameOf(entry: JournalEntry, id: string): string {
  const { conversationId: c } = entry
  if (!('turn' in entry)) return frameText(entry.speech, id, c)
  // An object of its own members, and behind them the text as it is.
  const head = JSON.stringify({ t: 'record', id, c, key: entry.key })
  return `${head.slice(0, -1)},"turn":${entry.turn}}`
}

/** At once where both are there. */
export function isSameText(
  one: string | Promise<string>,
  other: string | Promise<string>,
): boolean | Promise<boolean> {
  if (typeof one === 'string' && typeof other === 'string') return one === other
  return Promise.all([one, other]).then(([first, second]) => first === second)
}

/** A journal of an earlier client kept the value, whose print is what was sent. */
export function asText(entry: JournalEntry): JournalEntry {
  const text: unknown = textOf(entry)
  if (typeof text === 'string') return entry
  const printed = JSON.stringify(text)
  return 'turn' in entry ? { ...entry, turn: printed } : { ...entry, speech: printed }
}
