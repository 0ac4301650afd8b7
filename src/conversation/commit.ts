/**
 * Group commit: turns that wait while a batch is in flight form the next one. A batch is one call of
 * the record function and one commit.
 *
 * A conversation is in at most one batch at a time, and its turns are recorded in the order in which
 * they came. Every promise given out settles: recorded, replayed, refused by a code, or unknown.
 */
import type { Events } from '../events.ts'
import type { Database } from '../ports/database.ts'
import { Problem } from '../problem.ts'
import type { Effect } from './effects.ts'
import { createRecorder, type Entry, type Verdict } from './recorder.ts'
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

/** Conversations held by somebody else that are waited for at a time: each takes a connection. */
const heldLanes = 2

export function createCommitter(options: {
  readonly database: Database
  readonly effects: readonly Effect[]
  readonly events: Events
  readonly bounds: WriteBounds
  readonly lockTimeoutMs: number
  /** How long a turn may wait for its batch. */
  readonly waitMs: number
}): Committer {
  const { bounds } = options
  const recorder = createRecorder(options)
  let waiting: Entry[] = []
  let waitingBytes = 0
  let batches = 0
  let pumping = false
  /** In a batch, or waited for in a lane of their own. */
  const busy = new Set<string>()
  const held: Entry[][] = []
  let heldRunning = 0
  const idle: (() => void)[] = []

  const schedule = () => {
    if (pumping) return
    pumping = true
    // Turns that came in the same breath go into the same batch.
    queueMicrotask(() => {
      pumping = false
      pump()
    })
  }

  const pump = () => {
    dropOverdue()
    while (batches < bounds.lanes) {
      const batch = nextBatch()
      if (batch.length === 0) break
      batches += 1
      void runBatch(batch)
    }
    if (waiting.length === 0 && busy.size === 0) for (const resolve of idle.splice(0)) resolve()
  }

  const dropOverdue = () => {
    const oldest = performance.now() - options.waitMs
    if (waiting[0] === undefined || waiting[0].since > oldest) return
    const overdue = waiting.filter((entry) => entry.since <= oldest)
    waiting = waiting.filter((entry) => entry.since > oldest)
    for (const entry of overdue) {
      waitingBytes -= entry.turn.bytes
      entry.reject(new Problem('overloaded', 'The write waited too long for its place.'))
    }
  }

  /** Takes from the front what may go together, and leaves the rest in its order. */
  const nextBatch = (): Entry[] => {
    const batch: Entry[] = []
    const rest: Entry[] = []
    const passedOver = new Set<string>()
    const names = new Set<string>()
    let bytes = 0
    for (const entry of waiting) {
      const { row } = entry.turn
      const full =
        batch.length >= bounds.batchTurnsMax ||
        (batch.length > 0 && bytes + entry.turn.bytes > bounds.batchBytesMax)
      // Twins of a key or an id are settled by the database, one batch after the other.
      const own = [
        ...(row.key === null ? [] : [`${row.c} key ${row.key}`]),
        ...(row.given ?? []).map((id) => `${row.c} id ${id}`),
      ]
      if (full || busy.has(row.c) || passedOver.has(row.c) || own.some((name) => names.has(name))) {
        passedOver.add(row.c)
        rest.push(entry)
        continue
      }
      for (const name of own) names.add(name)
      bytes += entry.turn.bytes
      batch.push(entry)
    }
    waiting = rest
    waitingBytes -= bytes
    for (const entry of batch) busy.add(entry.turn.row.c)
    return batch
  }

  const runBatch = async (batch: Entry[]) => {
    const { locked, unsettled } = await recorder.record(batch, { wait: false })
    batches -= 1
    const kept = new Set([...locked, ...unsettled].map((entry) => entry.turn.row.c))
    for (const entry of batch) if (!kept.has(entry.turn.row.c)) busy.delete(entry.turn.row.c)
    for (const entries of Map.groupBy(locked, (entry) => entry.turn.row.c).values())
      held.push(entries)
    runHeld()
    if (unsettled.length > 0) void runUnsettled(unsettled)
    pump()
  }

  /** The turns of conversations that another writer holds wait for it, out of the others' way. */
  const runHeld = () => {
    while (heldRunning < heldLanes) {
      const entries = held.shift()
      if (entries === undefined) return
      heldRunning += 1
      void recorder.record(entries, { wait: true }).then(async ({ locked, unsettled }) => {
        heldRunning -= 1
        for (const entry of locked) entry.reject(new Problem('conversation-busy'))
        if (unsettled.length > 0) await recorder.settle(unsettled)
        release(entries)
      })
    }
  }

  const runUnsettled = async (entries: Entry[]) => {
    await recorder.settle(entries)
    release(entries)
  }

  const release = (entries: readonly Entry[]) => {
    for (const entry of entries) busy.delete(entry.turn.row.c)
    runHeld()
    pump()
  }

  return {
    submit(turn) {
      if (
        waiting.length >= bounds.waitingTurnsMax ||
        waitingBytes + turn.bytes > bounds.waitingBytesMax
      )
        return Promise.reject(new Problem('overloaded'))
      const { promise, resolve, reject } = Promise.withResolvers<Verdict>()
      waiting.push({ turn, since: performance.now(), resolve, reject })
      waitingBytes += turn.bytes
      schedule()
      return promise
    },

    drained() {
      if (waiting.length === 0 && busy.size === 0) return Promise.resolve()
      return new Promise((resolve) => idle.push(resolve))
    },
  }
}
