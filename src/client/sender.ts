/**
 * Turns and audio on their way to the service. A turn is in the journal before it is sent, and until
 * the service has answered for good; the same turn under the same key is one.
 */
import type { Attach } from '../conversation/wire-audio.ts'
import { Problem } from '../problem.ts'
import { createDeferred, type Deferred } from './deferred.ts'
import type { AttachedFrame, RecordedFrame } from './frames.ts'
import type { Journal, JournalEntry } from './journal.ts'
import { type Answer, createLanes, type Job, type LanesOptions } from './lanes.ts'
import type { Recording } from './link.ts'
import type { OwnWrites } from './own-writes.ts'

/** `replayed`: the key had recorded it before. Null ids: without responses, nothing was recorded. */
export type Recorded = Omit<RecordedFrame, 't' | 'id' | 'c'>
/** A null id: there was nothing to attach, or no AI message. */
export type Attached = Omit<AttachedFrame, 't' | 'id' | 'c'>

export type SenderOptions = LanesOptions & {
  readonly journal: Journal
  readonly ownWrites: OwnWrites
  /** Something waits for the service: there must be a connection. */
  readonly connect: () => void
  /** What became of a turn that an earlier run had left in the journal. */
  readonly onRecovered: (entry: JournalEntry, outcome: Recorded | Problem) => void
}

export type Sender = Recording & {
  record(entry: JournalEntry): Promise<Recorded>
  attach(c: string, messageId: string | undefined, audio: Attach): Promise<Attached>
  /** Resolves when nothing waits for the service. */
  settled(): Promise<void>
  /** Sends nothing more; what waits rejects with `reason`, and its turns stay in the journal. */
  close(reason: unknown): void
}

const nameOf = ({ conversationId, key }: JournalEntry) => `${conversationId} ${key}`

export function createSender(options: SenderOptions): Sender {
  const { journal, ownWrites } = options
  const lanes = createLanes(options)
  const turns = new Map<string, { entry: JournalEntry; recorded: Promise<Recorded> }>()
  let closed: { readonly reason: unknown } | undefined

  const settle = <T>(
    c: string,
    outcome: Answer | Problem,
    { resolve, reject }: Deferred<T>,
    read: (answer: Answer) => T | undefined,
  ) => {
    if (outcome instanceof Problem) return reject(outcome)
    ownWrites.note(c, outcome.version, outcome.cursor)
    const value = read(outcome)
    if (value === undefined) reject(new Problem('answer-unusable'))
    else resolve(value)
  }

  /** Takes its place in its lane, and its name, at once. */
  const start = (entry: JournalEntry, ready: boolean) => {
    const { conversationId: c, key, turn } = entry
    const outcome = createDeferred<Recorded>()
    const job: Job = {
      c,
      frame: (id) => ({ t: 'record', id, key, c, turn }),
      onlyOnce: false,
      ready,
      settled(answer) {
        turns.delete(nameOf(entry))
        journal.remove(entry)
        settle(c, answer, outcome, (frame) => (frame.t === 'recorded' ? inner(frame) : undefined))
      },
      dropped(reason) {
        turns.delete(nameOf(entry))
        outcome.reject(reason)
      },
    }
    lanes.add(job)
    turns.set(nameOf(entry), { entry, recorded: outcome.promise })
    return { job, recorded: outcome.promise }
  }

  const write = async (entry: JournalEntry, job: Job) => {
    try {
      await journal.append(entry)
      job.ready = true
    } catch (reason) {
      lanes.remove(job)
      job.dropped(reason)
    }
    lanes.pump()
  }

  for (const entry of journal.recovered) {
    const told = (outcome: Recorded | Problem) => options.onRecovered(entry, outcome)
    void start(entry, true).recorded.then(
      told,
      (reason) => reason instanceof Problem && told(reason),
    )
  }

  return {
    record(entry) {
      if (closed !== undefined) return Promise.reject(closed.reason)
      const known = turns.get(nameOf(entry))
      if (known === undefined) {
        const { job, recorded } = start(entry, false)
        options.connect()
        void write(entry, job)
        return recorded
      }
      if (JSON.stringify(known.entry.turn) === JSON.stringify(entry.turn)) return known.recorded
      const detail = `Another turn waits under the key ${entry.key}.`
      return Promise.reject(new Problem('idempotency-conflict', detail))
    },
    attach(c, messageId, audio) {
      if (closed !== undefined) return Promise.reject(closed.reason)
      const outcome = createDeferred<Attached>()
      const target = messageId === undefined ? {} : { messageId }
      lanes.add({
        c,
        frame: (id) => ({ t: 'attach', id, c, ...target, ...audio }),
        // By the second time, another message may be the latest.
        onlyOnce: messageId === undefined,
        ready: true,
        settled: (answer) =>
          settle(c, answer, outcome, (frame) =>
            frame.t === 'attached' ? inner(frame) : undefined,
          ),
        dropped: outcome.reject,
      })
      options.connect()
      lanes.pump()
      return outcome.promise
    },
    settled: lanes.empty,
    welcomed: lanes.welcomed,
    pump: lanes.pump,
    lost: lanes.lost,
    receive: lanes.receive,
    refused: lanes.dropAll,
    busy: lanes.busy,
    close(reason) {
      closed = { reason }
      lanes.dropAll(reason)
    },
  }
}

/** An answer without what belongs to the socket. */
function inner<Frame extends Answer>(frame: Frame): Omit<Frame, 't' | 'id' | 'c'> {
  const { t: _, id: __, c: ___, ...rest } = frame
  return rest
}
