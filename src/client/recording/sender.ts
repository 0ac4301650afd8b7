/**
 * Turns, speech and audio on their way to the service. A write is in the journal before it is sent, and
 * until the service has answered for good; the same write under the same name is one.
 */
import { Problem } from '../../problem.ts'
import { frameText } from '../client-frames.ts'
import { createDeferred, type Deferred } from '../deferred.ts'
import { asText, frameOf, isSameText, textOf } from '../journal/entry-text.ts'
import {
  entryName,
  type Journal,
  type JournalEntry,
  type SpeechEntry,
  type TurnEntry,
} from '../journal/journal.ts'
import type { OwnWrites } from '../own-writes.ts'
import type { Recording } from '../socket/link.ts'
import { type Answer, createLanes, type Job, type LanesOptions } from './lanes.ts'
import { createSessions, type Sessions } from './session-announcer.ts'

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
  /** Something waits for the service: there must be a connection, unless the client is closed. */
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
    /** `text`: the frame without `id` and `c`. */
    attach(c: string, messageId: string | undefined, text: string): Promise<Attached>
    /** Resolves when nothing waits for the service. */
    settled(): Promise<void>
    /** Sends nothing more; what waits rejects with `reason`, and stays in the journal. */
    close(reason: unknown): void
  }

/** The write that holds a name. `answer` is undefined once its connection was refused: only the journal has it then. */
type Waiting = { readonly text: string | Promise<string>; answer: Promise<Answer> | undefined }

type Started = {
  readonly job: Job
  readonly kept: { entry: JournalEntry }
  readonly answer: Promise<Answer>
  /** To be called if the journal does not take the entry. */
  readonly notKept: (reason: unknown) => void
}

function written(entry: JournalEntry, answer: Answer): Written {
  if ('turn' in entry) return inner(answer, 'recorded')
  // The key of a speech entry begins with the type of its frame.
  switch (entry.key.split(' ')[0]) {
    case 'turn.open':
      return inner(answer, 'turn.opened')
    case 'turn.complete':
      return inner(answer, 'turn.completed')
    case 'interrupt':
      return inner(answer, 'interrupted')
    default:
      return inner(answer, 'attached')
  }
}

export function createSender(options: SenderOptions): Sender {
  const { journal, ownWrites } = options
  const lanes = createLanes(options)
  const sessions = createSessions(lanes)
  const waiting = new Map<string, Waiting>()
  let closed: { readonly reason: unknown } | undefined

  const settle = (c: string, outcome: Answer | Problem, { resolve, reject }: Deferred<Answer>) => {
    if (outcome instanceof Problem) return reject(outcome)
    ownWrites.note(c, outcome.version, outcome.cursor)
    resolve(outcome)
  }

  /** Puts the write into its lane and takes its name, both at once, so that order and name are kept. */
  const start = (first: JournalEntry, text: Waiting['text'], ready: boolean): Started => {
    const name = entryName(first)
    const c = first.conversationId
    const outcome = createDeferred<Answer>()
    const mine: Waiting = { text, answer: outcome.promise }
    const kept = { entry: first }
    const job: Job = {
      c,
      frame: (id) => frameOf(kept.entry, id),
      onlyOnce: false,
      ready,
      settled(answer) {
        waiting.delete(name)
        journal.remove(first)
        settle(c, answer, outcome)
      },
      dropped(reason) {
        // It stays in the journal, so its name stays taken: another write under it is a conflict.
        mine.answer = undefined
        outcome.reject(reason)
      },
    }
    lanes.add(job)
    waiting.set(name, mine)
    const notKept = (reason: unknown) => {
      lanes.remove(job)
      if (waiting.get(name) === mine) waiting.delete(name)
      outcome.reject(reason)
    }
    return { job, kept, answer: outcome.promise, notKept }
  }

  const write = async (
    { job, kept, notKept }: Started,
    completed: Promise<JournalEntry> | undefined,
  ) => {
    try {
      if (completed !== undefined) kept.entry = await completed
      if (closed !== undefined) throw closed.reason
      await journal.append(kept.entry)
      job.ready = true
    } catch (reason) {
      notKept(reason)
    }
    lanes.pump()
  }

  const begin = (
    entry: JournalEntry,
    text: Waiting['text'],
    completed: Promise<JournalEntry> | undefined,
  ): Promise<Answer> => {
    // Again: the client may have been closed while the texts were compared.
    if (closed !== undefined) return Promise.reject(closed.reason)
    const started = start(entry, text, false)
    options.connect()
    void write(started, completed)
    return started.answer
  }

  const send = (entry: JournalEntry, completed?: Promise<JournalEntry>): Promise<Answer> => {
    if (closed !== undefined) return Promise.reject(closed.reason)
    const text = completed === undefined ? textOf(entry) : completed.then(textOf)
    // Marks the rejection as handled; both consumers of this promise handle it themselves.
    if (typeof text !== 'string') text.catch(() => {})
    const known = waiting.get(entryName(entry))
    const conflict = () =>
      Promise.reject(
        new Problem('idempotency-conflict', `Another write waits under the name ${entry.key}.`),
      )
    const sendAs = (same: boolean) =>
      same ? (known?.answer ?? begin(entry, text, completed)) : conflict()
    if (known === undefined) return begin(entry, text, completed)
    const same = isSameText(known.text, text)
    return typeof same === 'boolean' ? sendAs(same) : same.then(sendAs)
  }

  for (const left of journal.recovered) {
    const entry = asText(left)
    const told = (outcome: Written | Problem) => options.onRecovered(entry, outcome)
    void start(entry, textOf(entry), true)
      .answer.then((answer) => told(written(entry, answer)))
      .catch((reason) => reason instanceof Problem && told(reason))
  }

  return {
    record: async (entry) => inner(await send(entry), 'recorded'),
    speak: async (entry, type, completed) => inner(await send(entry, completed), type),
    async attach(c, messageId, text) {
      const outcome = createDeferred<Answer>()
      lanes.add({
        c,
        frame: (id) => frameText(text, id, c),
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
    async start(session) {
      const started = sessions.start(session)
      options.connect()
      lanes.pump()
      return started
    },
    async end(c, sessionId) {
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
      lanes.close(reason)
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
