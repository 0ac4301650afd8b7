/** Voice: the functions with which a voice agent speaks in one conversation. */
import type { NewTurn } from '../../conversation/wire/schemas.ts'
import type { Interruption, TurnHalves } from '../../conversation/wire/voice-schemas.ts'
import type { Role } from '../wire/client-frames.ts'
import { checkedKey } from '../wire/idempotency-key.ts'
import { checkedId, newId } from '../wire/new-ids.ts'
import { fieldFault } from '../wire/plain-json.ts'
import type { Attached, Completed, Interrupted, Opened } from './outcomes.ts'
import type { Partials } from './partial-sender.ts'
import type { Sender } from './sender.ts'
import { frameMembers, type SpeechFrame, speechEntry, textHashOf } from './speech-entries.ts'

type UserVoice = NonNullable<NonNullable<NewTurn['user']>['voice']>

/** The halves of an opened turn: `user`, `assistant` and `segment`. The client adds the voice session to `user.voice`. */
export type SpokenHalves = Omit<TurnHalves, 'user'> & {
  /** The transcript: its `text`, and in `voice` when the speech ended and how many seconds it lasted. */
  readonly user?: Omit<NonNullable<TurnHalves['user']>, 'voice'> & {
    readonly voice?: Omit<UserVoice, 'sessionId'>
  }
}

/** The audio (TTS) of one part: of a message, or of the answer of a turn that may not be recorded yet. */
export type PartAudio = ({ readonly messageId: string } | { readonly key: string }) & {
  /** The number of the part, from 0. */
  readonly part: number
  /** The text of the part. The service refuses audio of another text. */
  readonly text: string
  /** The absolute http or https URL of the audio. */
  readonly ttsAudioUrl: string
}

/**
 * The functions of a voice agent. The client stores each write in the journal, sends the writes of a conversation in
 * their order, and resends each until the service acknowledges it. A write rejects with a `Problem` that is not
 * retryable.
 *
 * @throws `input-not-json` An argument cannot be printed as JSON. Nothing was stored or sent.
 * @throws `id-invalid` The conversation's id is not a UUID. Nothing was stored or sent.
 * @throws `idempotency-key-invalid` The key is not 1 to 255 visible ASCII characters. Nothing was stored or sent.
 * @throws `idempotency-conflict` Another write waits or is recorded under the same name.
 * @throws `journal-full`, `journal-failed` The journal cannot store the write. Nothing was sent.
 * @throws `frame-too-large` The write is larger than the service accepts in one frame.
 * @throws `connection-refused` The service refuses the connection. The write stays in the journal.
 * @throws `conversation-not-found`, `conversation-erased` The conversation does not exist, or was erased.
 */
export type Voice = SpeechApi & AsyncDisposable

export type SpeechApi = {
  /** The id of the voice session. */
  readonly sessionId: string
  /** Resolves when the voice session has started. Writes need not wait for it, and do not fail with it. */
  readonly started: Promise<void>
  /**
   * Opens a turn when somebody begins to speak: reserves its `seq` (its seat) before its words are known.
   *
   * @param options `key`: the turn's idempotency key, by default a new one. `at`: when the speech began (RFC 3339), by
   *   default the time of this call.
   * @returns The seat, with its `seq`, and the `key` for `complete` and `attach`.
   * @throws `time-invalid`, `time-ahead` `at` is not RFC 3339, or lies too far in the future.
   * @example
   * const { key, seq } = await voice.open()
   */
  open(options?: {
    readonly key?: string
    readonly at?: string
  }): Promise<Opened & { readonly key: string }>
  /**
   * Shows an interim text (partial) to the followers of the conversation. It is not durable and may be lost.
   *
   * @param role The speaker: `human` or `ai`.
   * @param text All of the text so far. An empty text removes the partial.
   * @throws `field-invalid` The text is not a string.
   * @example
   * voice.partial('human', 'Is there a tab')
   */
  partial(role: Role, text: string): void
  /**
   * Completes an opened turn with its transcript (STT), its answer, or both. The halves may arrive in any order.
   *
   * @param key The key that opened the turn.
   * @param halves The transcript in `user`, the answer in `assistant`.
   * @returns The ids of both messages.
   * @throws `turn-not-open` No turn was opened under the key.
   * @example
   * const { key } = await voice.open()
   * await voice.complete(key, { assistant: { responses: ['At eight.'] } })
   * await voice.complete(key, { user: { text: 'Is there a table?' } })
   */
  complete(key: string, halves: SpokenHalves): Promise<Completed>
  /**
   * Reports an interruption (barge-in): how much of an AI message the listener heard.
   *
   * @param messageId The id of the AI message.
   * @param heard The number of whole `parts`, the number of `characters` (code points), or the `text`. Null takes the
   *   report back.
   * @param options `at`: when the listener interrupted (RFC 3339), by default the time of this call.
   * @returns The message's id, the version and the cursor. `changed`: whether the report changed the message.
   * @throws `message-not-found`, `message-not-ai` The message does not exist, or is a human message.
   * @throws `heard-out-of-range` The message has fewer parts or characters.
   * @example
   * await voice.interrupt(messageId, { characters: 5 })
   */
  interrupt(
    messageId: string,
    heard: Interruption['heard'],
    options?: { readonly at?: string },
  ): Promise<Interrupted>
  /**
   * Attaches the audio (TTS) of one part, before or after its turn is recorded.
   *
   * @param audio The message's id or the turn's key, the part, its text and its URL.
   * @returns The message's id, or `heldUntil`: the time until which the service holds the audio for its turn.
   * @throws `audio-stale` The part has another text.
   * @throws `part-out-of-range` The answer has no such part.
   * @throws `held-audio-too-much` Too much audio of the conversation waits for its turns. The client retries.
   * @throws `field-invalid` `text` is not a string.
   * @example
   * const { key } = await voice.open()
   * const ttsAudioUrl = 'https://cdn.example/1.mp3'
   * const { heldUntil } = await voice.attach({ key, part: 0, text: 'At eight.', ttsAudioUrl })
   */
  attach(audio: PartAudio): Promise<Attached>
  /**
   * Ends the voice session. `await using` calls this function, too.
   *
   * @returns A promise that resolves when the session has ended, by this call or before.
   * @example
   * await voice.end()
   */
  end(): Promise<void>
}

/** The options of `voice`. */
export type VoiceOptions = {
  /**
   * The id of the voice session, 1 to 255 characters.
   *
   * @default a new id
   */
  readonly sessionId?: string
  /** Metadata of the voice session. */
  readonly metadata?: Record<string, unknown>
}

/** The parts of the client that a voice uses. */
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
  const checkedConversation = () => checkedId(conversationId)
  // Async, so that unprintable metadata rejects `started` and `voice()` never throws.
  const startSession = async () =>
    sender.startSession({
      conversationId: checkedConversation(),
      sessionId,
      metadata: options.metadata,
    })
  const started = startSession()
  // Prevents an unhandled rejection if no caller awaits `started`. The writes continue without the session.
  started.catch(() => {})
  const now = () => new Date().toISOString()
  const entry = (speech: SpeechFrame) => speechEntry(checkedConversation(), speech)
  const endSession = async () => sender.endSession(checkedConversation(), sessionId)

  return {
    sessionId,
    started,
    async open({ key = newId(), at = now() } = {}) {
      const opening = entry({ t: 'turn.open', key: checkedKey(key), at })
      return { ...(await sender.speak(opening, 'turn.opened')), key }
    },
    partial: (role, text) => partials.put(checkedConversation(), role, text),
    async complete(key, input) {
      const { user, ...halves } = frameMembers(input, ['key'])
      const half = user === undefined ? {} : { user: inSession(user, sessionId) }
      const completion = entry({ t: 'turn.complete', key: checkedKey(key), ...half, ...halves })
      partials.forget(checkedConversation())
      return sender.speak(completion, 'turn.completed')
    },
    interrupt: async (messageId, heard, { at = now() } = {}) =>
      sender.speak(entry({ t: 'interrupt', messageId, heard, at }), 'interrupted'),
    async attach(input) {
      const { text, ...audio } = frameMembers(input, ['textHash'])
      if ('key' in audio) checkedKey(audio.key)
      if (typeof text !== 'string') throw fieldFault('/text', 'must be a string')
      const speech = { t: 'attach', ...audio } as const
      const hashed = textHashOf(text).then((textHash) => entry({ ...speech, textHash }))
      // Prevents an unhandled rejection. The sender handles the same promise.
      hashed.catch(() => {})
      return sender.speak(entry(speech), 'attached', hashed)
    },
    end: endSession,
    [Symbol.asyncDispose]: endSession,
  }
}

/** Adds the session to `user`. A `user` that is no object is sent unchanged, and the service refuses it. */
const inSession = (user: NonNullable<SpokenHalves['user']>, sessionId: string) =>
  typeof user === 'object' && user !== null
    ? { ...user, voice: { ...user.voice, sessionId } }
    : user
