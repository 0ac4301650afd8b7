/**
 * Types of a turn between its submission and its answer. The queue, the recorder and the look-up
 * share them.
 */
import type { DatabaseError } from '../../ports/database.ts'
import type { Message } from '../wire/schemas.ts'
import type { PreparedTurn } from './turn.ts'

/** TurnPosition is the position of a recorded turn in its conversation. */
export type TurnPosition = {
  /** The version that the turn has. */
  readonly version: number
  /** The `seq` of its first message. */
  readonly seq: number
  /** The conversation's newest version, equal to the turn's or later. */
  readonly head: number
  /** The answer's audio URLs if audio had arrived before the turn, null otherwise. */
  readonly urls: Message['ttsAudioUrls']
  /** Whether the turn began a voice session. */
  readonly began: boolean
}

/** Verdict is the result of a turn: it was recorded, or it is a replay. */
export type Verdict = Pick<TurnPosition, 'version' | 'head'> &
  (
    | { readonly replayOf: null; readonly messages: Message[] }
    /** The id of the turn that the key had recorded before. */
    | { readonly replayOf: string }
  )

/** A turn, and the functions that settle the promise of its answer. */
export type PendingTurn = {
  readonly turn: PreparedTurn
  /** Milliseconds of the monotonic clock (`performance.now`) when the turn was submitted. */
  readonly since: number
  /** The error of a call whose connection was lost. That call may have committed this turn. */
  lost?: DatabaseError
  resolve(verdict: Verdict): void
  reject(reason: unknown): void
}

/** The turns of a batch that its call did not decide. */
export type Unfinished<T = PendingTurn> = {
  /** Turns that are not written, because another writer has locked their conversations. */
  readonly locked: readonly T[]
  /** Turns that may or may not be written, because the connection was lost. */
  readonly unsettled: readonly T[]
}
