/** The type of a decoded client frame. */
import type { Attach, AttachByKey } from '../../conversation/wire/audio-schemas.ts'
import type { NewTurn } from '../../conversation/wire/schemas.ts'
import type {
  Interruption,
  NewVoiceSession,
  OpenTurn,
  TurnHalves,
} from '../../conversation/wire/voice-schemas.ts'
import type { ClientFrames } from './protocol.ts'

/** A decoded frame: its ids are in lower case, and the decoder of a write has checked its body. */
export type Frame =
  | ClientFrames['sub' | 'unsub' | 'partial' | 'pong' | 'auth']
  | (Omit<ClientFrames['record'], 'turn'> & { readonly turn: NewTurn })
  | {
      readonly t: 'attach'
      readonly id?: string
      readonly c: string
      readonly messageId?: string
      readonly audio: Attach | AttachByKey
    }
  | VoiceFrame

type Addressed<T, More> = { readonly t: T; readonly id?: string; readonly c: string } & More

export type VoiceFrame =
  | Addressed<'turn.open', { readonly key: string; readonly body: OpenTurn }>
  | Addressed<'turn.complete', { readonly key: string; readonly body: TurnHalves }>
  | Addressed<'interrupt', { readonly messageId: string; readonly body: Interruption }>
  | Addressed<
      'voice.start',
      { readonly sessionId?: string; readonly body: Pick<NewVoiceSession, 'metadata'> }
    >
  | Addressed<'voice.end', { readonly sessionId: string }>

/** The fields of a refused frame by which its sender pairs the problem with it. */
export type Named = { readonly id?: string; readonly c?: string }
