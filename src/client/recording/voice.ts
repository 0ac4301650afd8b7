/** One conversation as a voice agent speaks in it. */
import type { NewTurn } from '../../conversation/wire/schemas.ts'
import type { Interruption, TurnHalves } from '../../conversation/wire/voice-schemas.ts'
import type { Role } from '../wire/client-frames.ts'
import { checkedKey } from '../wire/idempotency-key.ts'
import { checkedId, newId } from '../wire/new-ids.ts'
import { fieldFault } from '../wire/plain-json.ts'
import type { Attached, Completed, Interrupted, Opened } from './outcomes.ts'
import type { Partials } from './partial-sender.ts'
import type { Sender } from './sender.ts'
import { framed, type SpeechFrame, speechEntry, textHashOf } from './speech-entries.ts'

type UserVoice = NonNullable<NonNullable<NewTurn['user']>['voice']>

/** The halves of a turn; what was said is of this session without saying so. */
export type SpokenHalves = Omit<TurnHalves, 'user'> & {
  readonly user?: Omit<NonNullable<TurnHalves['user']>, 'voice'> & {
    readonly voice?: Omit<UserVoice, 'sessionId'>
  }
}

/** Where audio belongs: to a part of a message, or of the answer of a turn that may not be there yet. */
export type PartAudio = ({ readonly messageId: string } | { readonly key: string }) & {
  readonly part: number
  /** What the part says: audio of other words is refused. */
  readonly text: string
  readonly ttsAudioUrl: string
}

/**
 * Each write is in the journal before it is sent, keeps its order within the conversation, and is sent
 * until the service has it. It rejects with a `Problem` that is not retryable.
 */
export type Voice = AsyncDisposable & {
  readonly sessionId: string
  /** When the session has started; writes need not wait for it. */
  readonly started: Promise<void>
  /** Somebody begins to speak: the turn has its place. `at`: now, unless said otherwise. */
  open(options?: {
    readonly key?: string
    readonly at?: string
  }): Promise<Opened & { readonly key: string }>
  /** Words that are not durable yet: all of the text so far. May be lost. */
  partial(role: Role, text: string): void
  /** The words of an opened turn: one half, or both, in any order. */
  complete(key: string, halves: SpokenHalves): Promise<Completed>
  /** What was heard of an AI message that was cut off. `at`: now, unless said otherwise. */
  interrupt(
    messageId: string,
    heard: Interruption['heard'],
    options?: { readonly at?: string },
  ): Promise<Interrupted>
  /** `messageId` is null where the audio waits for its turn, until `heldUntil`. */
  attach(audio: PartAudio): Promise<Attached>
  /** Ends the session; it ends by itself some time after the connection, too. */
  end(): Promise<void>
}

export type VoiceOptions = {
  /** A new id, unless said otherwise. */
  readonly sessionId?: string
  readonly metadata?: Record<string, unknown>
}

/** What a voice needs of the client it belongs to. */
export type VoiceParts = {
  readonly sender: Pick<Sender, 'startSession' | 'endSession' | 'speak'>
  readonly partials: Pick<Partials, 'put' | 'forget'>
}

export function createVoice(
  conversationId: string,
  options: VoiceOptions,
  { sender, partials }: VoiceParts,
): Voice {
  const { sessionId = newId() } = options
  // Each method checks the id, because `voice()` itself never throws.
  const checked = () => checkedId(conversationId)
  // Async, so that unprintable metadata rejects `started` and `voice()` never throws.
  const startSession = async () =>
    sender.startSession({ c: checked(), sessionId, metadata: options.metadata })
  const started = startSession()
  // Handled by whoever awaits `started`; the writes go on without it.
  started.catch(() => {})
  const now = () => new Date().toISOString()
  const entry = (speech: SpeechFrame) => speechEntry(checked(), speech)
  const endSession = async () => sender.endSession(checked(), sessionId)

  return {
    sessionId,
    started,
    async open({ key = newId(), at = now() } = {}) {
      const opening = entry({ t: 'turn.open', key: checkedKey(key), at })
      return { ...(await sender.speak(opening, 'turn.opened')), key }
    },
    partial: (role, text) => partials.put(checked(), role, text),
    async complete(key, given) {
      const { user, ...halves } = framed(given, ['key'])
      const half = user === undefined ? {} : { user: inSession(user, sessionId) }
      const completion = entry({ t: 'turn.complete', key: checkedKey(key), ...half, ...halves })
      partials.forget(checked())
      return sender.speak(completion, 'turn.completed')
    },
    interrupt: async (messageId, heard, { at = now() } = {}) =>
      sender.speak(entry({ t: 'interrupt', messageId, heard, at }), 'interrupted'),
    async attach(given) {
      const { text, ...audio } = framed(given, ['textHash'])
      if ('key' in audio) checkedKey(audio.key)
      if (typeof text !== 'string') throw fieldFault('/text', 'must be a string')
      const speech = { t: 'attach', ...audio } as const
      const hashed = textHashOf(text).then((textHash) => entry({ ...speech, textHash }))
      // Handled by the sender; this only prevents an unhandled rejection.
      hashed.catch(() => {})
      return sender.speak(entry(speech), 'attached', hashed)
    },
    end: endSession,
    [Symbol.asyncDispose]: endSession,
  }
}

/** A `user` that is not an object is sent unchanged, so that the service refuses it. */
const inSession = (user: NonNullable<SpokenHalves['user']>, sessionId: string) =>
  typeof user === 'object' && user !== null
    ? { ...user, voice: { ...user.voice, sessionId } }
    : user
