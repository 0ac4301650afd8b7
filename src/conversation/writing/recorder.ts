/** One batch of turns, one call: and what becomes of each turn, whatever becomes of the call. */
import type { Events } from '../../events.ts'
import { type Database, DatabaseError } from '../../ports/database.ts'
import { Problem, type ProblemCode } from '../../problem.ts'
import { outcomeUnknown, problemOf } from '../sql/database-problems.ts'
import type { Message } from '../wire/schemas.ts'
import { type Effect, runEffects } from './effects.ts'
import { recordCall } from './record-call.ts'
import { runsOf } from './runs.ts'
import { messagesOf, type PreparedTurn } from './turn.ts'
import { lookUp, ownId } from './turn-lookup.ts'
import type { FailedWrites } from './write-health.ts'

/** Where a turn stands in the database. */
export type Place = {
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
export type Verdict = Pick<Place, 'version' | 'head'> &
  (
    | { readonly replayOf: null; readonly messages: Message[] }
    /** The turn that the key recorded before. */
    | { readonly replayOf: string }
  )

/** A turn and whoever waits for it. */
export type Entry = {
  readonly turn: PreparedTurn
  /** When it came, on the monotonic clock, in milliseconds. */
  readonly since: number
  /** The error of the lost call, which may still have committed this turn. */
  lost?: DatabaseError
  resolve(verdict: Verdict): void
  reject(reason: unknown): void
}

export type RecordOptions = {
  /** Wait for conversations that another writer holds, up to the lock timeout. */
  readonly wait: boolean
  /** The database has answered, and anybody else may have its turn before that is told. */
  readonly recorded?: () => void
  /** The same turns were sent before, and that call may yet run: no failure of this one is definite. */
  readonly sentBefore?: boolean
}

/** What a call leaves to its caller. */
export type Left = { readonly locked: Entry[]; readonly unsettled: Entry[] }

export type Recorder = {
  /**
   * Records a batch. Every entry is settled but those answered: `locked`, nothing of them is
   * written; `unsettled`, the connection was lost and nobody knows. Never rejects.
   */
  record(entries: readonly Entry[], options: RecordOptions): Promise<Left>
  /** Finds out what became of unsettled entries, and settles every one. Never rejects. */
  settle(entries: readonly Entry[]): Promise<void>
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

const nothing: Left = { locked: [], unsettled: [] }

export type RecorderOptions = {
  readonly database: Database
  readonly effects: readonly Effect[]
  readonly events: Events
  readonly lockTimeoutMs: number
  readonly health?: FailedWrites | undefined
}

export function createRecorder(options: RecorderOptions): Recorder {
  const { database, effects, events, health } = options

  const call = (entries: readonly Entry[], wait: boolean) => {
    const turns = entries.map(({ turn }) => turn)
    return database.query<RecordedRow>(recordCall(turns, wait, options.lockTimeoutMs))
  }

  const record: Recorder['record'] = async (entries, options) => {
    let rows: RecordedRow[]
    try {
      rows = await call(entries, options.wait)
    } catch (thrown) {
      if (!(thrown instanceof DatabaseError)) return refuseAll(entries, thrown)
      const isOnes = oneTurnsFault.test(thrown.sqlState ?? '') && thrown.outcome !== 'unknown'
      if (isOnes && entries.length > 1) return recordInHalves(entries, options)
      health?.failed(thrown, entries.length)
      if (thrown.outcome === 'unknown') {
        for (const entry of entries) entry.lost = thrown
        return { locked: [], unsettled: [...entries] }
      }
      if (isOnes) return refuseAll(entries, fault(thrown))
      // What was sent before has a key, else it would not have been sent again.
      return refuseAll(entries, options.sentBefore ? outcomeUnknown(thrown, true) : thrown)
    }
    options.recorded?.()
    return answer(entries, rows)
  }

  /** Rolled back because of one turn: the halves go on without it, in their order. */
  const recordInHalves = async (entries: readonly Entry[], given: RecordOptions): Promise<Left> => {
    // The whole keeps its lane: the first of its calls to succeed makes no room for another.
    const options = { ...given, recorded: () => {} }
    const middle = Math.ceil(entries.length / 2)
    const first = await record(entries.slice(0, middle), options)
    // A conversation whose turns stayed behind keeps its later ones behind them.
    const behind = new Set([...first.locked, ...first.unsettled].map(({ turn }) => turn.row.c))
    const second = entries.slice(middle)
    const later = second.filter(({ turn }) => behind.has(turn.row.c))
    const others = second.filter(({ turn }) => !behind.has(turn.row.c))
    const last = others.length === 0 ? nothing : await record(others, options)
    return {
      locked: [...first.locked, ...later, ...last.locked],
      unsettled: [...first.unsettled, ...last.unsettled],
    }
  }

  const fault = (thrown: DatabaseError) =>
    thrown.constraint === 'messages_by_id' ? new Problem('id-taken') : thrown

  const refuseAll = (entries: readonly Entry[], reason: unknown): Left => {
    for (const entry of entries) entry.reject(problemOf(reason, 'write'))
    return nothing
  }

  const answer = (entries: readonly Entry[], rows: readonly RecordedRow[]) => {
    const locked: Entry[] = []
    const recorded: Recorded[] = []
    const replies: (() => void)[] = []
    for (const row of rows) {
      const { n, outcome, turnId, version, head } = row
      const entry = entries[n]
      if (entry === undefined) continue
      // A resend of ours meets itself; under an id that the caller gave, it may be a twin.
      const own = turnId === firstId(entry) && !entry.turn.row.given?.includes(turnId)
      if (outcome === 'locked') locked.push(entry)
      else if (outcome === 'recorded' || (outcome === 'replayed' && own)) {
        const one = recordedAt(entry, row)
        recorded.push(one)
        replies.push(() => entry.resolve(verdictOf(one)))
      } else if (outcome === 'replayed')
        replies.push(() => entry.resolve({ version, head, replayOf: turnId ?? '' }))
      else replies.push(() => entry.reject(new Problem(outcome)))
    }
    announce(recorded)
    for (const reply of replies) reply()
    return { locked, unsettled: [] }
  }

  /** Tells the effects, once per conversation and run of versions. */
  const announce = (recorded: readonly Recorded[]) => {
    for (const run of runsOf(recorded)) {
      const { entry: first, place } = run[0]
      runEffects(effects, events, {
        tenant: first.turn.row.tenant,
        conversationId: first.turn.row.c,
        from: place.version - 1,
        version: place.version - 1 + run.length,
        messages: run.flatMap(({ messages }) => messages),
        touched: run.some(
          ({ entry, place }) => place.began || entry.turn.row.agent_response !== null,
        )
          ? 'more'
          : 'messages',
      })
    }
  }

  const settle: Recorder['settle'] = async (entries) => {
    const found = await lookUp(database, entries)
    events.outcomeUnknown(entries.length, found?.size ?? 0)
    const placeOf = (entry: Entry) => found?.get(ownId(entry) ?? '')
    const recorded = entries.flatMap((entry) => {
      const place = placeOf(entry)
      return place === undefined ? [] : [recordedAt(entry, place)]
    })
    announce(recorded)
    for (const one of recorded) one.entry.resolve(verdictOf(one))
    const missing = entries.filter((entry) => placeOf(entry) === undefined)
    // Not found is still unknown, for the call may yet run. With a key, sending it again is safe:
    // whichever of the two comes second finds the first.
    const again = found === undefined ? [] : missing.filter(({ turn }) => turn.row.key !== null)
    const giveUp = (entry: Entry) =>
      entry.reject(outcomeUnknown(entry.lost, entry.turn.row.key !== null))
    for (const entry of missing) if (!again.includes(entry)) giveUp(entry)
    if (again.length === 0) return
    const { locked, unsettled } = await record(again, { wait: true, sentBefore: true })
    for (const entry of [...locked, ...unsettled]) giveUp(entry)
  }

  return { record, settle }
}

type Recorded = {
  readonly entry: Entry
  readonly place: Place
  /** As they stand in the database. */
  readonly messages: Message[]
}

const recordedAt = (entry: Entry, place: Place): Recorded => ({
  entry,
  place,
  messages: messagesOf(entry.turn, place),
})

const verdictOf = ({ place: { version, head }, messages }: Recorded): Verdict => ({
  version,
  head,
  replayOf: null,
  messages,
})

/** The id of the turn's first message: the turn's id. */
const firstId = ({ turn }: Entry): string => turn.row.h_id ?? turn.row.a_id
