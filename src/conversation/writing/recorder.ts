/** Recorder makes one call of each batch, and decides every turn of it, whatever becomes of the call. */
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
  /** Wait for conversations that another writer holds, up to the lock timeout. */
  readonly wait: boolean
  /** Called when the database has answered, before the answers are given: another batch may go. */
  readonly recorded?: () => void
  /** The same turns were sent before, and that call may yet run: no failure of this one is definite. */
  readonly sentBefore?: boolean
}

export type RecordedRow = {
  n: number
  outcome: 'recorded' | 'replayed' | 'locked' | ProblemCode
  version: number
  seq: number
  head: number
  turnId: string | null
  urls: Message['ttsAudioUrls']
  began: boolean
}

/**
 * Data, integrity and limits are one turn's fault; a trigger of the operator's or a damaged row can be. Any
 * other failure is the whole call's.
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

  /** Records a batch and settles every turn of it but those answered. Never rejects. */
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

  /** Finds out what became of unsettled turns, and settles every one. Never rejects. */
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
    // Not found is still unknown, for the call may yet run. With a key, sending it again is safe:
    // whichever of the two comes second finds the first.
    const again = found === undefined ? [] : missing.filter(hasKey)
    for (const pending of missing) if (!again.includes(pending)) giveUp(pending)
    if (again.length === 0) return
    const { locked, unsettled: lost } = await this.record(again, { wait: true, sentBefore: true })
    for (const pending of [...locked, ...lost]) giveUp(pending)
  }

  async #failed(
    batch: readonly PendingTurn[],
    options: RecordOptions,
    thrown: unknown,
  ): Promise<Unfinished> {
    if (!(thrown instanceof DatabaseError)) return refuseAll(batch, thrown)
    const isOnes = oneTurnsFault.test(thrown.sqlState ?? '') && thrown.outcome !== 'unknown'
    if (isOnes && batch.length > 1) return await this.#recordInHalves(batch, options)
    this.#health?.failed(thrown, batch.length)
    if (thrown.outcome === 'unknown') {
      for (const pending of batch) pending.lost = thrown
      return { locked: [], unsettled: batch }
    }
    if (isOnes) return refuseAll(batch, fault(thrown))
    // What was sent before has a key, else it would not have been sent again.
    return refuseAll(batch, options.sentBefore ? outcomeUnknown(thrown, true) : thrown)
  }

  /** Rolled back because of one turn: the halves go on without it, in their order. */
  async #recordInHalves(
    batch: readonly PendingTurn[],
    batchOptions: RecordOptions,
  ): Promise<Unfinished> {
    // The whole keeps its lane: the first of its calls to succeed makes no room for another.
    const options = { ...batchOptions, recorded: () => {} }
    const middle = Math.ceil(batch.length / 2)
    const first = await this.record(batch.slice(0, middle), options)
    // A conversation whose turns stayed behind keeps its later ones behind them.
    const behind = new Set(
      [...first.locked, ...first.unsettled].map(({ turn }) => turn.row.conversationId),
    )
    const second = batch.slice(middle)
    const later = second.filter(({ turn }) => behind.has(turn.row.conversationId))
    const others = second.filter(({ turn }) => !behind.has(turn.row.conversationId))
    const last = others.length === 0 ? nothing : await this.record(others, options)
    return {
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
      else if (outcome === 'recorded' || (outcome === 'replayed' && isItself(pending, turnId))) {
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

  /** Tells the effects, once per conversation and run of versions. */
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

/** Whether a replay is of this very turn: a resend of ours meets itself. Under an id that the caller gave, it may be a twin. */
const isItself = ({ turn: { row } }: PendingTurn, turnId: string | null): boolean =>
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
