/** Writes of speech: what they are sent as, and under which names they wait. */
import type { ClientFrames } from '../live/protocol.ts'
import type { SpeechEntry } from './journal.ts'

type Frames = ClientFrames['turn.open' | 'turn.complete' | 'interrupt' | 'attach']
type Bare<Frame> = Frame extends unknown ? Omit<Frame, 'id' | 'c'> : never

/** A frame that may be sent twice and means the same, without what belongs to its sending. */
export type SpeechFrame = Bare<Frames>

/** Under the same name it is the same write, or one that contradicts it. */
export function speechEntry(conversationId: string, speech: SpeechFrame): SpeechEntry {
  return { conversationId, key: nameOf(speech), speech }
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

/** SHA-256 of a part's text, as the service wants it said with its audio. */
export async function textHashOf(text: string): Promise<string> {
  const bytes = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}
