/** The writes of a voice agent as journal entries: their frames and their names. */
import type { ClientFrames } from '../../live/protocol/protocol.ts'
import type { SpeechEntry } from '../journal/journal.ts'
import { hexOf } from '../wire/hex.ts'
import { fieldFault, jsonText, plainObject } from '../wire/plain-json.ts'

type Frames = ClientFrames['turn.open' | 'turn.complete' | 'interrupt' | 'attach']
type WithoutSending<Frame> = Frame extends unknown ? Omit<Frame, 'id' | 'c'> : never

/** A frame that may be sent twice and means the same, without `id` and `c`, which each sending adds. */
export type SpeechFrame = WithoutSending<Frames>

/**
 * The journal entry of a speech frame. Two entries of one name are the same write if their texts are equal, otherwise a
 * conflict. Throws `input-not-json`.
 */
export function speechEntry(conversationId: string, speech: SpeechFrame): SpeechEntry {
  const text = jsonText(speech)
  return { conversationId, key: nameOf(speech), speech: text }
}

function nameOf(speech: SpeechFrame): string {
  switch (speech.t) {
    case 'turn.open':
      return `turn.open ${speech.key}`
    case 'turn.complete': {
      const halves = ['user', 'assistant'] as const
      return `turn.complete ${speech.key} ${halves.filter((half) => speech[half] !== undefined).join(' ')}`
    }
    case 'interrupt':
      // The measure is in the name: another one at the same time is another report.
      return `interrupt ${speech.messageId} ${speech.at} ${jsonText(speech.heard)}`
    case 'attach':
      // The URL is in the name: another URL for the same part is another write.
      return `attach ${speech.key ?? speech.messageId} ${speech.part} ${speech.ttsAudioUrl}`
  }
}

/** Members of every frame that the client sets itself. */
const reserved = ['t', 'id', 'c']

/**
 * A copy of `input`, whose members become members of a frame. Throws as `plainObject` does, and `field-unknown` if a
 * member has the name of one that the client sets itself: `t`, `id`, `c`, or one of `alsoReserved`.
 */
export function frameMembers<T extends object>(input: T, alsoReserved: readonly string[] = []): T {
  const copy = plainObject(input)
  const clash = [...reserved, ...alsoReserved].find((member) => Object.hasOwn(copy, member))
  if (clash === undefined) return copy
  throw fieldFault(`/${clash}`, 'there is no such field', 'field-unknown')
}

/** The SHA-256 of a part's text in hexadecimal digits, which the service expects with the part's audio. */
export async function textHashOf(text: string): Promise<string> {
  const bytes = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return hexOf(new Uint8Array(bytes))
}
