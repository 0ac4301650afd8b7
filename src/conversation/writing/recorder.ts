/** Records batches of turns with one database call per batch. */
import type { Events } from '../../events.ts'
import { type Database, DatabaseError } from '../../ports/database.ts'
import { Problem, type ProblemCode } from '../../problem.ts'
import { outcomeUnknown, problemOf } from '../sql/database-problems.ts'
import type { Message } from '../wire/schemas.ts'
import type { Effects } from './effects.ts'
import type { PendingTurn, TurnPosition, Unfinished, Verdict } from './pending-turn.ts'
import { recordCall } from './record-call.ts'
import { commitsOf, type Recorded } from './recorded-commits.ts'
import { messagesOf } from './turn.ts'
import { lookUp, ownId } from './turn-lookup.ts'
import type { FailedWrites } from './write-health.ts'

export type RecordOptions = {
  /**
   * Whether the call waits for conversations that another writer has locked, up to the lock
   * timeout.
   */
  readonly wait: boolean
  /**
   * Called when the database has answered, before the turns are settled. Another batch may be sent
   * from then on.
   */
  readonly recorded?: () => void
  /**
   * Whether an earlier call with the same turns may still run. Then no failure of this call is
   * definite.
   */
  readonly sentBefore?: boolean
}

export type RecordedRow = {
  /** The turn's index in the batch, from 0. */
  n: number
  outcome: 'recorded' | 'replayed' | 'locked' | ProblemCode
  version: number
  seq: number
  head: number
  turnId: string | null
  /** The URLs of audio that arrived before the turn. */
  urls: Message['ttsAudioUrls']
  /** Whether the turn began a voice session. */
  began: boolean
}

/**
 * SQLSTATE classes of errors that one turn of a batch can cause: its data, integrity or size, and
 * also an operator's trigger or a damaged row. Any other error concerns the whole call.
 */
const oneTurnsFault = /^(21|22|23|54|P0|XX)/

const nothing: Unfinished = { locked: [], unsettled: [] }

export type RecorderOptions = {
  readonly database: Database
  readonly effects: Effects
  readonly events: Events
  readonly lockTimeoutMs: number
  readonly health?: FailedWrites | undefined
}

/**
 * Recorder sends each batch in one call. Each turn is settled or returned as unfinished, even if
 * the call fails.
 */
export class Recorder {
  readonly #database: Database
  readonly #effects: Effects
  readonly #events: Events
  readonly #lockTimeoutMs: number
  readonly #health: FailedWrites | undefined

  constructor({ database, effects, events, lockTimeoutMs, health }: RecorderOptions) {
    this.#database = database
    this.#effects = effects
    this.#events = events
    this.#lockTimeoutMs = lockTimeoutMs
    this.#health = health
  }

  /** Records a batch. Settles every turn except those it returns as unfinished. Never rejects. */
  async record(batch: readonly PendingTurn[], options: RecordOptions): Promise<Unfinished> {
    let rows: RecordedRow[]
    try {
      const turns = batch.map(({ turn }) => turn)
      const call = recordCall(turns, { wait: options.wait, lockTimeoutMs: this.#lockTimeoutMs })
      rows = await this.#database.query<RecordedRow>(call)
    } catch (thrown) {
      return await this.#failed(batch, options, thrown)
    }
    options.recorded?.()
    return this.#answer(batch, rows)
  }

  /**
   * Looks up whether turns with an unknown outcome were recorded, and settles each of them. Never
   * rejects.
   */
  async settle(unsettled: readonly PendingTurn[]): Promise<void> {
    const found = await lookUp(this.#database, unsettled)
    this.#events.outcomeUnknown(unsettled.length, found?.size ?? 0)
    const recorded: Recorded[] = []
    const missing: PendingTurn[] = []
    for (const pending of unsettled) {
      const position = found?.get(ownId(pending) ?? '')
      if (position === undefined) missing.push(pending)
      else recorded.push(recordedAt(pending, position))
    }
    this.#announce(recorded)
    for (const one of recorded) one.pending.resolve(verdictOf(one))
    // A turn that is not found is still unknown, because the lost call may still run. Sending a
    // turn with a key again is safe: the later of the two calls finds the turn of the earlier one.
    const resendable = found === undefined ? [] : missing.filter(hasKey)
    for (const pending of missing) if (!resendable.includes(pending)) giveUp(pending)
    if (resendable.length === 0) return
    const { locked, unsettled: lost } = await this.record(resendable, {
      wait: true,
      sentBefore: true,
    })
    for (const pending of [...locked, ...lost]) giveUp(pending)
  }

  async #failed(
    batch: readonly PendingTurn[],
    options: RecordOptions,
    thrown: unknown,
  ): Promise<Unfinished> {
    if (!(thrown instanceof DatabaseError)) return refuseAll(batch, thrown)
    const isOneTurns = oneTurnsFault.test(thrown.sqlState ?? '') && thrown.outcome !== 'unknown'
    if (isOneTurns && batch.length > 1) return await this.#recordInHalves(batch, options)
    this.#health?.failed(thrown, batch.length)
    if (thrown.outcome === 'unknown') {
      for (const pending of batch) pending.lost = thrown
      return { locked: [], unsettled: batch }
    }
    if (isOneTurns) return refuseAll(batch, fault(thrown))
    // Turns with `sentBefore` always have a key, because `settle` resends only those.
    return refuseAll(batch, options.sentBefore ? outcomeUnknown(thrown, true) : thrown)
  }

  /**
   * Records the two halves of a batch one after the other. The database rolled back the whole batch
   * because of one turn, which ends up alone after enough halvings.
   */
  async #recordInHalves(
    batch: readonly PendingTurn[],
    batchOptions: RecordOptions,
  ): Promise<Unfinished> {
    // `recorded` would allow another batch to be sent. That must wait until both halves are done.
    const options = { ...batchOptions, recorded: () => {} }
    const middle = Math.ceil(batch.length / 2)
    const first = await this.record(batch.slice(0, middle), options)
    // If turns of a conversation are unfinished, its later turns must wait behind them.
    const unfinishedIds = new Set(
      [...first.locked, ...first.unsettled].map(({ turn }) => turn.row.conversationId),
    )
    const second = batch.slice(middle)
    const later = second.filter(({ turn }) => unfinishedIds.has(turn.row.conversationId))
    const others = second.filter(({ turn }) => !unfinishedIds.has(turn.row.conversationId))
    const last = others.length === 0 ? nothing : await this.record(others, options)
    return {
      // The turns in `later` were never sent. Like locked turns they are not written, and the queue
      // sends them again.
      locked: [...first.locked, ...later, ...last.locked],
      unsettled: [...first.unsettled, ...last.unsettled],
    }
  }

  #answer(batch: readonly PendingTurn[], rows: readonly RecordedRow[]): Unfinished {
    const locked: PendingTurn[] = []
    const recorded: Recorded[] = []
    const replies: (() => void)[] = []
    for (const row of rows) {
      const { n, outcome, turnId, version, head } = row
      const pending = batch[n]
      if (pending === undefined) continue
      if (outcome === 'locked') locked.push(pending)
      else if (outcome === 'recorded' || (outcome === 'replayed' && isOwnReplay(pending, turnId))) {
        const one = recordedAt(pending, row)
        recorded.push(one)
        replies.push(() => pending.resolve(verdictOf(one)))
      } else if (outcome === 'replayed')
        replies.push(() => pending.resolve({ version, head, replayOf: turnId ?? '' }))
      else replies.push(() => pending.reject(new Problem(outcome)))
    }
    this.#announce(recorded)
    for (const reply of replies) reply()
    return { locked, unsettled: [] }
  }

  /** Runs the effects, once for each conversation and unbroken series of versions. */
  #announce(recorded: readonly Recorded[]): void {
    for (const commit of commitsOf(recorded)) this.#effects.run(commit)
  }
}

const recordedAt = (pending: PendingTurn, position: TurnPosition): Recorded => ({
  pending,
  position,
  messages: messagesOf(pending.turn, position),
})

const verdictOf = ({ position: { version, head }, messages }: Recorded): Verdict => ({
  version,
  head,
  replayOf: null,
  messages,
})

/**
 * Whether a replay is a replay of this very turn: the service sent it twice, and the second call
 * found the turn that the first one had recorded. An id that the caller gave proves nothing, because
 * another request may have used it.
 */
const isOwnReplay = ({ turn: { row } }: PendingTurn, turnId: string | null): boolean =>
  turnId === (row.human?.id ?? row.assistant.id) && !row.callerIds?.includes(turnId)

const hasKey = ({ turn }: PendingTurn): boolean => turn.row.key !== null

function giveUp(pending: PendingTurn): void {
  pending.reject(outcomeUnknown(pending.lost, hasKey(pending)))
}

const fault = (thrown: DatabaseError) =>
  thrown.constraint === 'messages_by_id' ? new Problem('id-taken') : thrown

function refuseAll(batch: readonly PendingTurn[], reason: unknown): Unfinished {
  for (const pending of batch) pending.reject(problemOf(reason, 'write'))
  return nothing
}
