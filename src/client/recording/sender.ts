/**
 * Sender brings turns, speech and audio to the service. A write is in the journal before it is sent, and until the
 * service has answered for good; the same write under the same name is one.
 */
import { createDeferred, type Deferred } from '../../mechanics/deferred.ts'
import { Problem } from '../../problem-error.ts'
import { asText, frameOf, isSameText, textOf } from '../journal/entry-text.ts'
import {
  entryName,
  type Journal,
  type JournalEntry,
  type SpeechEntry,
  type TurnEntry,
} from '../journal/journal.ts'
import type { OwnWrites } from '../own-writes.ts'
import { frameText } from '../wire/client-frames.ts'
import {
  type Attached,
  type Inner,
  inner,
  type Recorded,
  recoveredOutcome,
  type Written,
} from './outcomes.ts'
import { createSessions, type NewSession, type Sessions } from './session-announcer.ts'
import { type Answer, type Job, WriteQueues, type WriteQueuesOptions } from './write-queues.ts'

export type SenderOptions = Omit<WriteQueuesOptions, 'onWelcomed' | 'isWanted'> & {
  readonly journal: Journal
  readonly ownWrites: OwnWrites
  /** Something waits for the service: there must be a connection, unless the client is closed. */
  readonly connect: () => void
  /** What became of a write that an earlier run had left in the journal. */
  readonly onRecovered: (entry: JournalEntry, outcome: Written | Problem) => void
}

/** A write that holds a name. */
type Holder = {
  readonly text: string | Promise<string>
  /** Undefined once its connection was refused: only the journal has the write then. */
  answer: Promise<Answer> | undefined
}

/** A write on its way. */
type Started = {
  readonly name: string
  readonly holder: Holder
  /** As it is journalled and sent: an entry that was completed takes the place of the first one. */
  entry: JournalEntry
  readonly job: Job
  readonly outcome: Deferred<Answer>
}

export class Sender {
  /** What waits for the service. */
  readonly queues: WriteQueues
  readonly #options: SenderOptions
  readonly #sessions: Sessions
  /** By the name of the entry. */
  readonly #holders = new Map<string, Holder>()
  #closed: { readonly reason: unknown } | undefined

  constructor(options: SenderOptions) {
    this.#options = options
    this.queues = new WriteQueues({
      ...options,
      onWelcomed: () => this.#sessions.welcomed(),
      isWanted: () => this.#sessions.busy(),
    })
    this.#sessions = createSessions(this.queues)
    for (const left of options.journal.recovered) this.#recover(asText(left))
  }

  async record(entry: TurnEntry): Promise<Recorded> {
    return inner(await this.#write(entry), 'recorded')
  }

  /** `completed`: the entry as it is kept and sent, where that is not known at once. */
  async speak<T extends Answer['t']>(
    entry: SpeechEntry,
    answer: T,
    completed?: Promise<SpeechEntry>,
  ): Promise<Inner<T>> {
    return inner(await this.#write(entry, completed), answer)
  }

  /** `text`: the frame without `id` and `c`. */
  async attach(c: string, messageId: string | undefined, text: string): Promise<Attached> {
    const outcome = createDeferred<Answer>()
    this.queues.add({
      c,
      frame: (id) => frameText(text, id, c),
      // By the second time, another message may be the latest.
      onlyOnce: messageId === undefined,
      ready: true,
      settled: (answer) => this.#settle(c, answer, outcome),
      dropped: outcome.reject,
    })
    this.#push()
    return inner(await outcome.promise, 'attached')
  }

  async startSession(session: NewSession): Promise<void> {
    const started = this.#sessions.start(session)
    this.#push()
    return started
  }

  async endSession(c: string, sessionId: string): Promise<void> {
    const ended = this.#sessions.end(c, sessionId)
    this.#push()
    return ended
  }

  /** Sends nothing more; what waits rejects with `reason`, and stays in the journal. */
  close(reason: unknown): void {
    this.#closed = { reason }
    this.#sessions.close()
    this.queues.close(reason)
  }

  #push(): void {
    this.#options.connect()
    this.queues.pump()
  }

  #settle(c: string, outcome: Answer | Problem, { resolve, reject }: Deferred<Answer>): void {
    if (outcome instanceof Problem) reject(outcome)
    else {
      this.#options.ownWrites.note(c, outcome.version, outcome.cursor)
      resolve(outcome)
    }
  }

  #recover(entry: JournalEntry): void {
    const report = (outcome: Written | Problem) => this.#options.onRecovered(entry, outcome)
    void this.#start(entry, textOf(entry), true)
      .outcome.promise.then((answer) => report(recoveredOutcome(entry, answer)))
      .catch((reason) => reason instanceof Problem && report(reason))
  }

  /** A second write under a name is the first one if it has the same text, else a conflict. */
  #write(entry: JournalEntry, completed?: Promise<JournalEntry>): Promise<Answer> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed.reason)
    const text = completed === undefined ? textOf(entry) : completed.then(textOf)
    // Marks the rejection as handled; both consumers of this promise handle it themselves.
    if (typeof text !== 'string') text.catch(() => {})
    const holder = this.#holders.get(entryName(entry))
    if (holder === undefined) return this.#begin(entry, text, completed)
    const joinOrRefuse = (isSame: boolean) => {
      if (isSame) return holder.answer ?? this.#begin(entry, text, completed)
      const detail = `Another write waits under the name ${entry.key}.`
      return Promise.reject(new Problem('idempotency-conflict', detail))
    }
    const isSame = isSameText(holder.text, text)
    return typeof isSame === 'boolean' ? joinOrRefuse(isSame) : isSame.then(joinOrRefuse)
  }

  #begin(
    entry: JournalEntry,
    text: Holder['text'],
    completed: Promise<JournalEntry> | undefined,
  ): Promise<Answer> {
    // Again: the client may have been closed while the texts were compared.
    if (this.#closed !== undefined) return Promise.reject(this.#closed.reason)
    const started = this.#start(entry, text, false)
    this.#options.connect()
    void this.#journal(started, completed)
    return started.outcome.promise
  }

  /** Queues the write and takes its name, both at once, so that order and name are kept. */
  #start(first: JournalEntry, text: Holder['text'], ready: boolean): Started {
    const outcome = createDeferred<Answer>()
    const name = entryName(first)
    const holder: Holder = { text, answer: outcome.promise }
    const { conversationId: c } = first
    const started: Started = {
      name,
      holder,
      entry: first,
      outcome,
      job: {
        c,
        frame: (id) => frameOf(started.entry, id),
        onlyOnce: false,
        ready,
        settled: (answer) => {
          this.#holders.delete(name)
          this.#options.journal.remove(first)
          this.#settle(c, answer, outcome)
        },
        dropped: (reason) => {
          // It stays in the journal, so its name stays taken: another write under it is a conflict.
          holder.answer = undefined
          outcome.reject(reason)
        },
      },
    }
    this.queues.add(started.job)
    this.#holders.set(name, holder)
    return started
  }

  /** Sends the write once it is in the journal; one that the journal does not take is given up. */
  async #journal(started: Started, completed: Promise<JournalEntry> | undefined): Promise<void> {
    const { name, holder, job, outcome } = started
    try {
      if (completed !== undefined) started.entry = await completed
      if (this.#closed !== undefined) throw this.#closed.reason
      await this.#options.journal.append(started.entry)
      job.ready = true
    } catch (reason) {
      this.queues.remove(job)
      if (this.#holders.get(name) === holder) this.#holders.delete(name)
      outcome.reject(reason)
    }
    this.queues.pump()
  }
}
