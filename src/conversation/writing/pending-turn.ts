/** A turn between its submission and its answer: the types that queue, recorder and look-up share. */
import type { DatabaseError } from '../../ports/database.ts'
import type { Message } from '../wire/schemas.ts'
import type { PreparedTurn } from './turn.ts'

/** Where a turn stands in the database. */
export type TurnPosition = {
  /** The version the turn took. */
  readonly version: number
  /** The `seq` of its first message. */
  readonly seq: number
  /** The conversation's version, at or after the turn's. */
  readonly head: number
  /** The answer's audio, where some had waited for it. */
  readonly urls: Message['ttsAudioUrls']
  /** Whether a voice session began with the turn. */
  readonly began: boolean
}

/** What becomes of a turn. */
export type Verdict = Pick<TurnPosition, 'version' | 'head'> &
  (
    | { readonly replayOf: null; readonly messages: Message[] }
    /** The turn that the key recorded before. */
    | { readonly replayOf: string }
  )

/** A turn and the promise of its answer. */
export type PendingTurn = {
  readonly turn: PreparedTurn
  /** When it was submitted, on the monotonic clock, in milliseconds. */
  readonly since: number
  /** The error of the lost call, which may still have committed this turn. */
  lost?: DatabaseError
  resolve(verdict: Verdict): void
  reject(reason: unknown): void
}

/** What a call leaves undecided. */
export type Unfinished<T = PendingTurn> = {
  /** Nothing of them is written: another writer holds their conversations. */
  readonly locked: readonly T[]
  /** The connection was lost, and whether they are written is unknown. */
  readonly unsettled: readonly T[]
}
