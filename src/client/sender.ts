/**
 * Turns, speech and audio on their way to the service. A write is in the journal before it is sent, and
 * until the service has answered for good; the same write under the same name is one.
 */
import type { Attach } from '../conversation/wire-audio.ts'
import { Problem } from '../problem.ts'
import { createDeferred, type Deferred } from './deferred.ts'
import type { Journal, JournalEntry, SpeechEntry, TurnEntry } from './journal.ts'
import { type Answer, createLanes, type Job, type LanesOptions } from './lanes.ts'
import type { Recording } from './link.ts'
import type { OwnWrites } from './own-writes.ts'
import { createSessions, type Sessions } from './sessions.ts'

/** Without what belongs to the socket. */
type Inner<T extends Answer['t']> = Omit<Extract<Answer, { t: T }>, 't' | 'id' | 'c'>

/** `replayed`: the key had recorded it before. Null ids: without responses, nothing was recorded. */
export type Recorded = Inner<'recorded'>
/** A null id: there was nothing to attach, or no AI message; with `heldUntil`, the audio waits for its turn. */
export type Attached = Inner<'attached'>
/** `replayed`: the key had opened it before. */
export type Opened = Inner<'turn.opened'>
/** `replayed`: all that was sent was there before. */
export type Completed = Inner<'turn.completed'>
export type Interrupted = Inner<'interrupted'>
export type Written = Recorded | Attached | Opened | Completed | Interrupted

export type SenderOptions = LanesOptions & {
  readonly journal: Journal
  readonly ownWrites: OwnWrites
  /** Something waits for the service: there must be a connection. */
  readonly connect: () => void
  /** What became of a write that an earlier run had left in the journal. */
  readonly onRecovered: (entry: JournalEntry, outcome: Written | Problem) => void
}

export type Sender = Recording &
  Pick<Sessions, 'start' | 'end'> & {
    record(entry: TurnEntry): Promise<Recorded>
    /** `completed`: the entry as it is kept and sent, where that is not known at once. */
    speak<T extends Answer['t']>(
      entry: SpeechEntry,
      answer: T,
      completed?: Promise<SpeechEntry>,
    ): Promise<Inner<T>>
    attach(c: string, messageId: string | undefined, audio: Attach): Promise<Attached>
    /** Resolves when nothing waits for the service. */
    settled(): Promise<void>
    /** Sends nothing more; what waits rejects with `reason`, and stays in the journal. */
    close(reason: unknown): void
  }

const nameOf = ({ conversationId, key }: JournalEntry) => `${conversationId} ${key}`
const contentOf = (entry: JournalEntry) =>
  JSON.stringify('turn' in entry ? entry.turn : entry.speech)

function written(entry: JournalEntry, answer: Answer): Written {
  if ('turn' in entry) return inner(answer, 'recorded')
  switch (entry.speech.t) {
    case 'turn.open':
      return inner(answer, 'turn.opened')
    case 'turn.complete':
      return inner(answer, 'turn.completed')
    case 'interrupt':
      return inner(answer, 'interrupted')
    case 'attach':
      return inner(answer, 'attached')
  }
}

export function createSender(options: SenderOptions): Sender {
  const { journal, ownWrites } = options
  const lanes = createLanes(options)
  const sessions = createSessions(lanes)
  const waiting = new Map<string, { content: string; answer: Promise<Answer> }>()
  let closed: { readonly reason: unknown } | undefined

  const settle = (c: string, outcome: Answer | Problem, { resolve, reject }: Deferred<Answer>) => {
    if (outcome instanceof Problem) return reject(outcome)
    ownWrites.note(c, outcome.version, outcome.cursor)
    resolve(outcome)
  }

  /** Takes its place in its lane, and its name, at once. */
  const start = (first: JournalEntry, ready: boolean) => {
    const name = nameOf(first)
    const c = first.conversationId
    const outcome = createDeferred<Answer>()
    const kept = { entry: first }
    const job: Job = {
      c,
      frame: (id) =>
        'turn' in kept.entry
          ? { t: 'record', id, key: kept.entry.key, c, turn: kept.entry.turn }
          : { ...kept.entry.speech, id, c },
      onlyOnce: false,
      ready,
      settled(answer) {
        waiting.delete(name)
        journal.remove(first)
        settle(c, answer, outcome)
      },
      dropped(reason) {
        waiting.delete(name)
        outcome.reject(reason)
      },
    }
    lanes.add(job)
    waiting.set(name, { content: contentOf(first), answer: outcome.promise })
    return { job, kept, answer: outcome.promise }
  }

  const write = async (
    { job, kept }: Pick<ReturnType<typeof start>, 'job' | 'kept'>,
    completed: Promise<JournalEntry> | undefined,
  ) => {
    try {
      if (completed !== undefined) kept.entry = await completed
      await journal.append(kept.entry)
      job.ready = true
    } catch (reason) {
      lanes.remove(job)
      job.dropped(reason)
    }
    lanes.pump()
  }

  const send = (entry: JournalEntry, completed?: Promise<JournalEntry>): Promise<Answer> => {
    if (closed !== undefined) return Promise.reject(closed.reason)
    const known = waiting.get(nameOf(entry))
    if (known === undefined) {
      const started = start(entry, false)
      options.connect()
      void write(started, completed)
      return started.answer
    }
    if (known.content === contentOf(entry)) return known.answer
    const detail = `Another write waits under the name ${entry.key}.`
    return Promise.reject(new Problem('idempotency-conflict', detail))
  }

  for (const entry of journal.recovered) {
    const told = (outcome: Written | Problem) => options.onRecovered(entry, outcome)
    void start(entry, true)
      .answer.then((answer) => told(written(entry, answer)))
      .catch((reason) => reason instanceof Problem && told(reason))
  }

  return {
    record: async (entry) => inner(await send(entry), 'recorded'),
    speak: async (entry, type, completed) => inner(await send(entry, completed), type),
    async attach(c, messageId, audio) {
      if (closed !== undefined) throw closed.reason
      const outcome = createDeferred<Answer>()
      const target = messageId === undefined ? {} : { messageId }
      lanes.add({
        c,
        frame: (id) => ({ t: 'attach', id, c, ...target, ...audio }),
        // By the second time, another message may be the latest.
        onlyOnce: messageId === undefined,
        ready: true,
        settled: (answer) => settle(c, answer, outcome),
        dropped: outcome.reject,
      })
      options.connect()
      lanes.pump()
      return inner(await outcome.promise, 'attached')
    },
    start(session) {
      if (closed !== undefined) return Promise.reject(closed.reason)
      const started = sessions.start(session)
      options.connect()
      lanes.pump()
      return started
    },
    end(c, sessionId) {
      if (closed !== undefined) return Promise.reject(closed.reason)
      const ended = sessions.end(c, sessionId)
      options.connect()
      lanes.pump()
      return ended
    },
    settled: lanes.empty,
    welcomed(gate, limits) {
      sessions.welcomed()
      lanes.welcomed(gate, limits)
    },
    pump: lanes.pump,
    lost: lanes.lost,
    receive: lanes.receive,
    refused: lanes.dropAll,
    busy: () => lanes.busy() || sessions.busy(),
    close(reason) {
      closed = { reason }
      sessions.close()
      lanes.dropAll(reason)
    },
  }
}

const isOf = <T extends Answer['t']>(
  answer: Answer,
  type: T,
): answer is Extract<Answer, { t: T }> => answer.t === type

function inner<T extends Answer['t']>(answer: Answer, type: T): Inner<T> {
  if (!isOf(answer, type)) throw new Problem('answer-unusable')
  return bare(answer)
}

/** An answer without what belongs to the socket. */
function bare<Frame extends Answer>(frame: Frame): Omit<Frame, 't' | 'id' | 'c'> {
  const { t: _, id: __, c: ___, ...rest } = frame
  return rest
}
