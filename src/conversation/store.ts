/** The writes and their after-commit effects. Each write is one autocommitted call. */
import type { Events } from '../events.ts'
import type { Database } from '../ports/database.ts'
import type { Reader } from './reading/reader.ts'
import { type AudioBounds, createAudioWrites } from './speech/audio-writes.ts'
import { createLapses } from './speech/lapses.ts'
import { createSeatWrites, type SeatBounds } from './speech/seat-writes.ts'
import { createVoiceSessions, type VoiceSessions } from './speech/voice-session-store.ts'
import type * as audio from './wire/audio-schemas.ts'
import type { Principal } from './wire/principal.ts'
import type * as wire from './wire/schemas.ts'
import type * as voice from './wire/voice-schemas.ts'
import { createCommitter, type WriteBounds } from './writing/committer.ts'
import { createConversationWrites } from './writing/conversation-writes.ts'
import type { Effect } from './writing/effects.ts'
import { createTurnWrites } from './writing/turn-writes.ts'
import type { FailedWrites } from './writing/write-health.ts'
import { createWrites } from './writing/writes.ts'

/**
 * Bodies have been through the decoder. Every write fails with `conversation-not-found`,
 * `conversation-erased`, `conversation-busy`, a `database-` code (nothing was written) or
 * `outcome-unknown` (it may have been), and with what is said beside it.
 */
export type Store = AsyncDisposable & {
  /** Fails with `conversation-taken` or `external-id-taken`; the same body again is no failure. */
  createConversation(
    principal: Principal,
    body: wire.NewConversation,
  ): Promise<{ conversation: wire.Conversation; created: boolean }>
  /** Fails with `version-mismatch` where `ifMatch` is not the version, and `external-id-taken`. */
  patchConversation(
    principal: Principal,
    id: string,
    patch: wire.ConversationPatch,
    ifMatch?: number,
  ): Promise<wire.Conversation>
  /** Repeatable: answers the first erasure's receipt again. */
  eraseConversation(principal: Principal, id: string): Promise<wire.ErasureReceipt>
  /**
   * Records a human message and its answer, or an AI message alone. Null where the answer has no
   * parts: nothing is written, and the key stays free. Fails with `idempotency-conflict`,
   * `segment-not-found`, `id-taken` or `overloaded`.
   */
  recordTurn(
    principal: Principal,
    id: string,
    turn: wire.NewTurn,
    key?: string,
  ): Promise<wire.RecordedTurn | null>
  /** Records an AI message alone; answers its id. */
  recordAiTurn(principal: Principal, id: string, responses: string[]): Promise<string | null>
  createSegment(
    principal: Principal,
    id: string,
    body: wire.NewSegment,
  ): Promise<{ segment: wire.Segment; created: boolean }>
  /**
   * Attaches audio to the AI message named, or to the latest. Null where there is nothing to attach,
   * or no AI message yet. Fails with `message-not-found`, `message-not-ai`, `part-out-of-range` or
   * `segment-not-found`.
   */
  attachTts(
    principal: Principal,
    id: string,
    messageId: string | undefined,
    body: audio.Attach,
  ): Promise<audio.AttachedAudio | null>
  /**
   * Attaches audio to a part of the answer of the turn that the key names; where there is no answer
   * yet, it waits for it. Fails with `part-out-of-range`, `audio-stale` or `held-audio-too-much`.
   */
  attachByKey(
    principal: Principal,
    id: string,
    body: audio.AttachByKey,
  ): Promise<audio.AttachedAudio | audio.HeldAudio>
  /**
   * Gives a turn's human message its place before there are words for it. The same key again answers
   * the seat. Fails with `idempotency-conflict` or `seats-too-many`.
   */
  openTurn(
    principal: Principal,
    id: string,
    body: voice.OpenTurn,
    key: string,
  ): Promise<voice.OpenedTurn>
  /**
   * Gives an opened turn one half or both. Null where neither says anything. Fails with
   * `turn-not-open`, `idempotency-conflict`, `segment-not-found` or `id-taken`.
   */
  completeTurn(
    principal: Principal,
    id: string,
    halves: voice.TurnHalves,
    key: string,
  ): Promise<voice.CompletedTurn | null>
  /**
   * What the listener heard of an AI message. Fails with `message-not-found`, `message-not-ai` or
   * `heard-out-of-range`.
   */
  interrupt(
    principal: Principal,
    id: string,
    messageId: string,
    body: voice.Interruption,
  ): Promise<voice.InterruptedMessage>
  readonly voiceSessions: VoiceSessions
}

export type StoreOptions = {
  readonly database: Database
  readonly reader: Reader
  readonly effects: readonly Effect[]
  readonly events: Events
  readonly writes: WriteBounds
  /** Bounds on what comes before or after its turn. */
  readonly voice: SeatBounds & AudioBounds & { readonly sessionGraceSeconds: number }
  /** Bound on metadata after a patch was merged into it. */
  readonly metadataBytesMax: number
  readonly lockTimeoutMs: number
  /** How long a write may wait for its place in a batch. */
  readonly waitMs: number
  /** Learns of failed writes. */
  readonly health?: FailedWrites | undefined
}

export function createStore(options: StoreOptions): Store {
  const writes = createWrites(options)
  const committer = createCommitter({ ...options, bounds: options.writes })
  const voiceSessions = createVoiceSessions(options.database, writes, options.voice)
  const lapses = createLapses({ ...options, writes, voiceSessions })
  return {
    ...createConversationWrites(writes, options.reader, options.metadataBytesMax),
    ...createTurnWrites(writes, options.reader, committer),
    ...createAudioWrites(writes, options.reader, options.voice),
    ...createSeatWrites(writes, options.reader, options.voice),
    voiceSessions,
    async [Symbol.asyncDispose]() {
      lapses[Symbol.dispose]()
      await committer.drained()
    },
  }
}
