/** The store makes each write in one autocommitted call, and ends overdue seats and sessions. */
import type { Events } from '../events.ts'
import type { Database } from '../ports/database.ts'
import type { Reader } from './reading/reader.ts'
import { type AudioBounds, type AudioWrites, createAudioWrites } from './speech/audio-writes.ts'
import { createInterruptionWrites, type InterruptionWrites } from './speech/interruption-writes.ts'
import { createLapses } from './speech/lapses.ts'
import { createSeatWrites, type SeatBounds, type SeatWrites } from './speech/seat-writes.ts'
import {
  createVoiceSessions,
  type SessionBounds,
  type VoiceSessions,
} from './speech/voice-session-store.ts'
import { Committer } from './writing/committer.ts'
import { type ConversationWrites, createConversationWrites } from './writing/conversation-writes.ts'
import type { Effects } from './writing/effects.ts'
import type { WriteBounds } from './writing/turn-queue.ts'
import { createTurnWrites, type TurnWrites } from './writing/turn-writes.ts'
import type { FailedWrites } from './writing/write-health.ts'
import { createWrites } from './writing/writes.ts'

/**
 * Store has all writes of conversations. Their bodies must have passed the decoder. Every write
 * fails with `conversation-not-found`, `conversation-erased`, `conversation-busy` (another writer
 * locked the conversation for `lockTimeoutMs`), a `database-` code (nothing was written) or
 * `outcome-unknown` (the write may be committed). Each function's own type names its further
 * problem codes.
 *
 * - `ConversationWrites`: create, change and erase a conversation
 * - `TurnWrites`: record turns, create segments
 * - `AudioWrites`: attach the URLs of TTS audio
 * - `SeatWrites`: open a seat for a turn and complete it
 * - `InterruptionWrites`: report a barge-in
 * - `voiceSessions`: start, end and read voice sessions
 *
 * Disposing ends the work on overdue seats, audio and voice sessions, and resolves once every
 * submitted turn has its answer.
 */
export type Store = ConversationWrites &
  TurnWrites &
  AudioWrites &
  SeatWrites &
  InterruptionWrites & { readonly voiceSessions: VoiceSessions } & AsyncDisposable

export type StoreOptions = {
  readonly database: Database
  readonly reader: Reader
  /** Every commit is reported to them. */
  readonly effects: Effects
  readonly events: Events
  readonly writes: WriteBounds
  /** Bounds of seats, held audio and voice sessions. */
  readonly voice: SeatBounds & AudioBounds & SessionBounds
  readonly limits: {
    /** The most bytes of a conversation's metadata once a patch is merged into it. */
    readonly metadataBytesMax: number
  }
  readonly timeouts: {
    /** Milliseconds that a write waits for a conversation that another writer holds. */
    readonly lockTimeoutMs: number
    /** Milliseconds that a turn may wait in the queue before its batch is sent. */
    readonly deadlineMs: number
  }
  /** Every failed write is reported to it. @default none */
  readonly health?: FailedWrites | undefined
}

/** Opens the store, and begins its work on overdue seats, held audio and voice sessions. */
export function createStore(options: StoreOptions): Store {
  const { database, reader, voice } = options
  const { lockTimeoutMs, deadlineMs: waitMs } = options.timeouts
  const writes = createWrites({ ...options, lockTimeoutMs })
  const committer = new Committer({ ...options, bounds: options.writes, lockTimeoutMs, waitMs })
  const voiceSessions = createVoiceSessions(database, writes, voice)
  const lapses = createLapses({ ...options, writes, voiceSessions })
  return {
    ...createConversationWrites(writes, reader, options.limits.metadataBytesMax),
    ...createTurnWrites(writes, reader, committer),
    ...createAudioWrites(writes, reader, voice),
    ...createSeatWrites(writes, reader, voice),
    ...createInterruptionWrites(writes),
    voiceSessions,
    async [Symbol.asyncDispose]() {
      lapses[Symbol.dispose]()
      await committer.drained()
    },
  }
}
