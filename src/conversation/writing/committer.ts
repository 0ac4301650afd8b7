/**
 * Group commit: turns that wait while a batch is in flight form the next one (`batch-size.ts` says how
 * many). A batch is one call of the record function and one commit.
 *
 * A conversation is in at most one batch at a time, and its turns are recorded in the order in which
 * they came. Every promise given out settles: recorded, replayed, refused by a code, or unknown.
 */
import { Problem, type ProblemCode } from '../../problem.ts'
import { createBatchSize } from './batch-size.ts'
import { createRecorder, type Entry, type RecorderOptions, type Verdict } from './recorder.ts'
import type { PreparedTurn } from './turn.ts'

/** Bounds of the queue and of a batch. */
export type WriteBounds = {
  /** Batches in flight. */
  readonly lanes: number
  readonly batchTurnsMax: number
  readonly batchBytesMax: number
  /** More turns or bytes than these are refused with `overloaded`. */
  readonly waitingTurnsMax: number
  readonly waitingBytesMax: number
}

export type Committer = {
  /** Settles when the turn is committed, or with the problem that kept it from being so. */
  submit(turn: PreparedTurn): Promise<Verdict>
  /** Resolves when nothing waits and nothing is in flight. */
  drained(): Promise<void>
}

/** The turns of one conversation that have not been sent, in the order in which they came. */
type Line = { readonly id: string; waiting: Entry[]; busy: boolean }
type Taken = { readonly line: Line; readonly entries: Entry[] }

/** Conversations held by another writer that are waited for at a time: each takes a connection. */
const heldLanes = 2
/** How often the others look whether theirs is free again, in milliseconds. */
const heldLookMs = 25
/** How long a batch that is not full waits for one in flight, in milliseconds: longer than most take. */
const lingerMs = 25
/** How often the whole queue is searched for turns that have waited too long, in milliseconds. */
const sweepMs = 250

type CommitterOptions = RecorderOptions & {
  readonly bounds: WriteBounds
  /** How long a turn may wait for its batch. */
  readonly waitMs: number
}

export function createCommitter(options: CommitterOptions): Committer {
  const { bounds } = options
  const recorder = createRecorder(options)
  const size = createBatchSize(bounds.batchTurnsMax, options.database.shared)
  const lines = new Map<string, Line>()
  /** Those that may go into the next batch, the one that waited longest first. */
  const ready = new Set<Line>()
  /** Those that another writer holds. */
  const held = new Set<Line>()
  const idle: (() => void)[] = []
  let waitingTurns = 0
  let waitingBytes = 0
  let batches = 0
  let heldBatches = 0
  let isLingering = false
  let pumping = false
  let looking = false
  let sweptAt = performance.now()

  // Who comes in one round goes together. Lone turns are spared the detour, but where the database holds the thread.
  const schedule = () => {
    if (pumping) return
    pumping = true
    const soon = size.last > 1 || !options.database.shared ? setImmediate : queueMicrotask
    soon(() => {
      pumping = false
      pump()
    })
  }

  const pump = () => {
    sweep()
    while (batches < bounds.lanes && ready.size > 0 && isWorthIt()) {
      batches += 1
      void run(nextBatch(), false)
    }
    while (heldBatches < heldLanes && held.size > 0) {
      const [line] = held
      if (line === undefined) break
      held.delete(line)
      heldBatches += 1
      void run([take(line, bounds.batchTurnsMax, bounds.batchBytesMax)], true)
    }
    lookAgain()
    if (lines.size === 0) for (const resolve of idle.splice(0)) resolve()
  }

  /** While a batch is in flight, the next one waits until it is back, or large enough, or for a moment. */
  const isWorthIt = () => {
    if (batches === 0 || waitingTurns >= size.of(waitingTurns)) return true
    const [oldest] = ready
    if (performance.now() - (oldest?.waiting[0]?.since ?? 0) >= lingerMs) return true
    if (!isLingering)
      setTimeout(() => {
        isLingering = false
        pump()
      }, lingerMs)
    isLingering = true
    return false
  }

  /** A conversation that was held for a moment must not stand behind one that is held for long. */
  const lookAgain = () => {
    if (looking || held.size === 0) return
    looking = true
    setTimeout(() => {
      looking = false
      for (const line of held) ready.add(line)
      held.clear()
      pump()
    }, heldLookMs)
  }

  /** A fair share of every conversation that is ready, as far as the bounds go. */
  const nextBatch = (): Taken[] => {
    const turnsMax = size.of(waitingTurns)
    const share = Math.max(1, Math.floor(turnsMax / ready.size))
    const batch: Taken[] = []
    let turns = 0
    let bytes = 0
    for (const line of ready) {
      const first = line.waiting[0]
      const isTooLarge = bytes + (first?.turn.bytes ?? 0) > bounds.batchBytesMax
      if (turns >= turnsMax || (turns > 0 && isTooLarge)) break
      const room = Math.min(share, turnsMax - turns)
      const taken = take(line, room, bounds.batchBytesMax - bytes)
      turns += taken.entries.length
      for (const entry of taken.entries) bytes += entry.turn.bytes
      batch.push(taken)
    }
    return batch
  }

  /** From the front of a line what may go together; at least one. */
  const take = (line: Line, turnsMax: number, bytesMax: number) => {
    const names = new Set<string>()
    const entries: Entry[] = []
    let bytes = 0
    for (const entry of line.waiting) {
      const { row } = entry.turn
      // Twins of a key or an id are settled by the database, one batch after the other.
      const own = [...(row.key === null ? [] : [`key ${row.key}`]), ...(row.given ?? [])]
      const fits = entries.length < turnsMax && bytes + entry.turn.bytes <= bytesMax
      if (entries.length > 0 && (!fits || own.some((name) => names.has(name)))) break
      for (const name of own) names.add(name)
      bytes += entry.turn.bytes
      entries.push(entry)
    }
    line.waiting = line.waiting.slice(entries.length)
    waitingTurns -= entries.length
    waitingBytes -= bytes
    line.busy = true
    ready.delete(line)
    return { line, entries }
  }

  /** Sends a batch. `wait` is for one conversation that another writer holds. */
  const run = async (batch: Taken[], wait: boolean) => {
    const entries = batch.flatMap((one) => one.entries)
    const back = size.sent(entries.length, () => {
      if (wait) heldBatches -= 1
      else batches -= 1
      pump()
    })
    const { locked, unsettled } = await recorder.record(entries, { wait, recorded: back })
    back()
    const lockedBy = Map.groupBy(locked, (entry) => entry.turn.row.c)
    const unsettledBy = Map.groupBy(unsettled, (entry) => entry.turn.row.c)
    for (const { line } of batch) {
      const again = lockedBy.get(line.id) ?? []
      const unknown = unsettledBy.get(line.id)
      if (unknown === undefined) release(line, again)
      else void recorder.settle(unknown).then(() => release(line, again))
    }
    pump()
  }

  /** What was locked goes to the front again. */
  const release = (line: Line, locked: Entry[]) => {
    line.busy = false
    line.waiting = [...locked, ...line.waiting]
    waitingTurns += locked.length
    for (const entry of locked) waitingBytes += entry.turn.bytes
    dropOverdue(line, locked.length > 0 ? 'conversation-busy' : 'overloaded')
    if (line.waiting.length === 0) lines.delete(line.id)
    else if (locked.length > 0) held.add(line)
    else ready.add(line)
    schedule()
  }

  const sweep = () => {
    const now = performance.now()
    if (now - sweptAt < sweepMs) return
    sweptAt = now
    for (const line of ready) {
      dropOverdue(line, 'overloaded')
      if (line.waiting.length > 0) continue
      ready.delete(line)
      lines.delete(line.id)
    }
  }

  const dropOverdue = (line: Line, code: ProblemCode) => {
    const oldest = performance.now() - options.waitMs
    const kept = line.waiting.findIndex((entry) => entry.since > oldest)
    const overdue = line.waiting.splice(0, kept < 0 ? line.waiting.length : kept)
    waitingTurns -= overdue.length
    for (const entry of overdue) {
      waitingBytes -= entry.turn.bytes
      entry.reject(new Problem(code, 'The write waited too long for its place.'))
    }
  }

  return {
    submit(turn) {
      const isTooMuch = waitingBytes + turn.bytes > bounds.waitingBytesMax
      if (isTooMuch || waitingTurns >= bounds.waitingTurnsMax)
        return Promise.reject(new Problem('overloaded'))
      const { promise, resolve, reject } = Promise.withResolvers<Verdict>()
      const { c } = turn.row
      const line = lines.get(c) ?? { id: c, waiting: [], busy: false }
      lines.set(c, line)
      line.waiting.push({ turn, since: performance.now(), resolve, reject })
      waitingTurns += 1
      waitingBytes += turn.bytes
      if (!line.busy && !held.has(line)) ready.add(line)
      schedule()
      return promise
    },

    drained() {
      if (lines.size === 0) return Promise.resolve()
      return new Promise((resolve) => idle.push(resolve))
    },
  }
}
