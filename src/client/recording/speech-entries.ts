/** Writes of speech: what they are sent as, and under which names they wait. */
import type { ClientFrames } from '../../live/protocol/protocol.ts'
import type { SpeechEntry } from '../journal/journal.ts'
import { hexOf } from '../wire/hex.ts'
import { fieldFault, jsonText, plainObject } from '../wire/plain-json.ts'

type Frames = ClientFrames['turn.open' | 'turn.complete' | 'interrupt' | 'attach']
type Bare<Frame> = Frame extends unknown ? Omit<Frame, 'id' | 'c'> : never

/** A frame that may be sent twice and means the same, without what belongs to its sending. */
export type SpeechFrame = Bare<Frames>

/** Two entries of one name are the same write if their texts are equal, else a conflict. Throws `input-not-json`. */
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
      return `interrupt ${speech.messageId} ${speech.at}`
    case 'attach':
      // Another address for the same part is another write.
      return `attach ${speech.key ?? speech.messageId} ${speech.part} ${speech.ttsAudioUrl}`
  }
}

const ofTheFrame = ['t', 'id', 'c']

/**
 * A copy of `input`, whose members become members of a frame. Throws as `plainObject`, and `field-unknown` if one
 * of them is called like a member that the client sets: `t`, `id`, `c`, or one of `also`.
 */
export function framed<T extends object>(input: T, also: readonly string[] = []): T {
  const copy = plainObject(input)
  const taken = [...ofTheFrame, ...also].find((member) => Object.hasOwn(copy, member))
  if (taken === undefined) return copy
  throw fieldFault(`/${taken}`, 'there is no such field', 'field-unknown')
}

/** SHA-256 of a part's text, as the service wants it said with its audio. */
export async function textHashOf(text: string): Promise<string> {
  const bytes = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return hexOf(new Uint8Array(bytes))
}
