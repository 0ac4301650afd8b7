/** Journal entries as JSON text, which is compared with other writes of the same name and sent. */
import { frameText } from '../wire/client-frames.ts'
import type { JournalEntry } from './journal.ts'

export const textOf = (entry: JournalEntry): string => ('turn' in entry ? entry.turn : entry.speech)

export function frameOf(entry: JournalEntry, id: string): string {
  const { conversationId: c } = entry
  if (!('turn' in entry)) return frameText(entry.speech, id, c)
  // The turn's text is inserted unchanged, so that it is sent byte for byte.
  const head = JSON.stringify({ t: 'record', id, c, key: entry.key })
  return `${head.slice(0, -1)},"turn":${entry.turn}}`
}

/** Not a promise if both texts are known already. */
export function isSameText(
  one: string | Promise<string>,
  other: string | Promise<string>,
): boolean | Promise<boolean> {
  if (typeof one === 'string' && typeof other === 'string') return one === other
  return Promise.all([one, other]).then(([first, second]) => first === second)
}

/** Journals of earlier clients hold values in place of texts; those clients sent the value as JSON.stringify prints it. */
export function asText(entry: JournalEntry): JournalEntry {
  const text: unknown = textOf(entry)
  if (typeof text === 'string') return entry
  const printed = JSON.stringify(text)
  return 'turn' in entry ? { ...entry, turn: printed } : { ...entry, speech: printed }
}
