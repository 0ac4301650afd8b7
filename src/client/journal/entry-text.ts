/** Journal entries as JSON text. The text is compared with other writes of the same name, and is sent. */
import { frameText } from '../wire/client-frames.ts'
import type { JournalEntry } from './journal.ts'

/** The JSON text of the turn or the speech in an entry. */
export const textOf = (entry: JournalEntry): string => ('turn' in entry ? entry.turn : entry.speech)

/** The text of the frame that sends an entry, under the frame id `id`. */
export function frameOf(entry: JournalEntry, id: string): string {
  const { conversationId: c } = entry
  if (!('turn' in entry)) return frameText(entry.speech, id, c)
  // The turn's text is inserted unchanged, so that it is sent byte for byte.
  const head = JSON.stringify({ t: 'record', id, c, key: entry.key })
  return `${head.slice(0, -1)},"turn":${entry.turn}}`
}

/** Compares two texts. Returns a promise only if one of the texts is a promise. */
export function isSameText(
  one: string | Promise<string>,
  other: string | Promise<string>,
): boolean | Promise<boolean> {
  if (typeof one === 'string' && typeof other === 'string') return one === other
  return Promise.all([one, other]).then(([first, second]) => first === second)
}

/**
 * An entry of a journal, with a text. Journals of earlier clients have a value in its place, and those clients sent
 * the value as JSON.stringify prints it.
 */
export function asText(entry: JournalEntry): JournalEntry {
  const text: unknown = textOf(entry)
  if (typeof text === 'string') return entry
  const printed = JSON.stringify(text)
  return 'turn' in entry ? { ...entry, turn: printed } : { ...entry, speech: printed }
}
