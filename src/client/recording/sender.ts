/**
 * Sender brings turns, speech and audio to the service. It stores each write in the journal before it sends it, and
 * removes it after the final answer. Two equal writes under one name are one write.
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
  type Recorded,
  type Result,
  recoveredOutcome,
  resultOf,
  type Written,
} from './outcomes.ts'
import { createSessions, type NewSession, type Sessions } from './session-announcer.ts'
import { type Answer, type Job, WriteQueues, type WriteQueuesOptions } from './write-queues.ts'

export type SenderOptions = Omit<WriteQueuesOptions, 'onWelcomed' | 'isWanted'> & {
  readonly journal: Journal
  readonly ownWrites: OwnWrites
  /** Opens the connection if it is not open and the client is not closed. */
  readonly connect: () => void
  /** Called with the outcome of a write that an earlier run left in the journal. */
  readonly onRecovered: (entry: JournalEntry, outcome: Written | Problem) => void
}

/** The write that owns a name. */
type Holder = {
  readonly text: string | Promise<string>
  /** Undefined after the connection was refused: then only the journal has the write. */
  answer: Promise<Answer> | undefined
}

/** A queued write. */
type Started = {
  readonly name: string
  readonly holder: Holder
  /** The entry to store and send. A completed entry replaces the first one. */
  entry: JournalEntry
  readonly job: Job
  readonly outcome: Deferred<Answer>
}

export class Sender {
  /** The writes that wait for the service. */
  readonly queues: WriteQueues
  readonly #options: SenderOptions
  readonly #sessions: Sessions
  /** The owner of each name of an entry. */
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
    for (const entry of options.journal.recovered) this.#recover(asText(entry))
  }

  /** Records a turn. */
  async record(entry: TurnEntry): Promise<Recorded> {
    return resultOf(await this.#write(entry), 'recorded')
  }

  /**
   * Sends a write of a voice agent, and returns the result of an answer of type `answer`. `completed` is the entry to
   * store and send, if it is not known at once.
   */
  async speak<T extends Answer['t']>(
    entry: SpeechEntry,
    answer: T,
    completed?: Promise<SpeechEntry>,
  ): Promise<Result<T>> {
    return resultOf(await this.#write(entry, completed), answer)
  }

  /** Attaches audio, without the journal. `text` is the frame without `id` and `c`. */
  async attach(
    conversationId: string,
    messageId: string | undefined,
    text: string,
  ): Promise<Attached> {
    const outcome = createDeferred<Answer>()
    this.queues.add({
      conversationId,
      frame: (id) => frameText(text, id, conversationId),
      // When it is sent again, another message may be the latest.
      onlyOnce: messageId === undefined,
      ready: true,
      settled: (answer) => this.#settle(conversationId, answer, outcome),
      dropped: outcome.reject,
    })
    this.#push()
    return resultOf(await outcome.promise, 'attached')
  }

  /** Starts a voice session. */
  async startSession(session: NewSession): Promise<void> {
    const started = this.#sessions.start(session)
    this.#push()
    return started
  }

  /** Ends a voice session. */
  async endSession(conversationId: string, sessionId: string): Promise<void> {
    const ended = this.#sessions.end(conversationId, sessionId)
    this.#push()
    return ended
  }

  /** Stops sending. Waiting writes reject with `reason`, and stay in the journal. */
  close(reason: unknown): void {
    this.#closed = { reason }
    this.#sessions.close()
    this.queues.close(reason)
  }

  #push(): void {
    this.#options.connect()
    this.queues.pump()
  }

  #settle(
    conversationId: string,
    outcome: Answer | Problem,
    { resolve, reject }: Deferred<Answer>,
  ): void {
    if (outcome instanceof Problem) reject(outcome)
    else {
      this.#options.ownWrites.note(conversationId, outcome.version, outcome.cursor)
      resolve(outcome)
    }
  }

  /** Queues a write that an earlier run left, and reports its outcome. */
  #recover(entry: JournalEntry): void {
    const report = (outcome: Written | Problem) => this.#options.onRecovered(entry, outcome)
    void this.#start(entry, textOf(entry), true)
      .outcome.promise.then((answer) => report(recoveredOutcome(entry, answer)))
      .catch((reason) => reason instanceof Problem && report(reason))
  }

  /** Queues a write. A second write under its name is the same write if it has the same text, otherwise a conflict. */
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
    // Checked again: the client may have been closed while the texts were compared.
    if (this.#closed !== undefined) return Promise.reject(this.#closed.reason)
    const started = this.#start(entry, text, false)
    this.#options.connect()
    void this.#journal(started, completed)
    return started.outcome.promise
  }

  /** Queues the write and takes its name in one step, so that neither order nor name can be lost in between. */
  #start(first: JournalEntry, text: Holder['text'], ready: boolean): Started {
    const outcome = createDeferred<Answer>()
    const name = entryName(first)
    const holder: Holder = { text, answer: outcome.promise }
    const { conversationId } = first
    const started: Started = {
      name,
      holder,
      entry: first,
      outcome,
      job: {
        conversationId,
        frame: (id) => frameOf(started.entry, id),
        onlyOnce: false,
        ready,
        settled: (answer) => {
          this.#holders.delete(name)
          this.#options.journal.remove(first)
          this.#settle(conversationId, answer, outcome)
        },
        dropped: (reason) => {
          // The write stays in the journal, so its name stays taken: another write under it is a conflict.
          holder.answer = undefined
          outcome.reject(reason)
        },
      },
    }
    this.queues.add(started.job)
    this.#holders.set(name, holder)
    return started
  }

  /** Sends the write once the journal has stored it. If the journal refuses the write, it is removed and rejects. */
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
