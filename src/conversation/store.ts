/** The store: every write, each one autocommitted call, and the work that ends what is overdue. */
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
 * Bodies have been through the decoder. Every write fails with `conversation-not-found`,
 * `conversation-erased`, `conversation-busy`, a `database-` code (nothing was written) or
 * `outcome-unknown` (it may have been), and with what is said beside it.
 *
 * Disposing resolves once every turn submitted is decided.
 */
export type Store = ConversationWrites &
  TurnWrites &
  AudioWrites &
  SeatWrites &
  InterruptionWrites & { readonly voiceSessions: VoiceSessions } & AsyncDisposable

export type StoreOptions = {
  readonly database: Database
  readonly reader: Reader
  /** Told of every commit. */
  readonly effects: Effects
  readonly events: Events
  readonly writes: WriteBounds
  /** Bounds on what comes before or after its turn. */
  readonly voice: SeatBounds & AudioBounds & SessionBounds
  readonly limits: {
    /** Bound on metadata after a patch was merged into it. */
    readonly metadataBytesMax: number
  }
  readonly timeouts: {
    /** How long a write waits for a conversation that another writer holds. */
    readonly lockTimeoutMs: number
    /** How long a turn may wait for its batch. */
    readonly deadlineMs: number
  }
  /** Learns of failed writes. */
  readonly health?: FailedWrites | undefined
}

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
