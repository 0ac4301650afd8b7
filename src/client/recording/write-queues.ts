/**
 * WriteQueues holds the writes that wait for an answer of the service over a socket: one queue a conversation, and of
 * each queue one frame at a time, so that no write overtakes another. What had no answer when a connection is lost is
 * sent again over the next one. A link gives it connections and frames.
 */
import { type Backoff, fullJitterMs } from '../../mechanics/backoff.ts'
import { Problem } from '../../problem-error.ts'
import type { CreditGate } from '../socket/credit-gate.ts'
import type { Recording } from '../socket/link-users.ts'
import type { Limits, ServerFrame } from '../wire/client-frames.ts'
import { unknownOutcomeWithAdvice } from '../wire/outcome-unknown.ts'

const answers = [
  'recorded',
  'attached',
  'turn.opened',
  'turn.completed',
  'interrupted',
  'voice.started',
  'voice.ended',
] as const satisfies readonly ServerFrame['t'][]

/** A frame that says what became of a job. */
export type Answer = Extract<ServerFrame, { t: (typeof answers)[number] }>

const isAnswer = (frame: ServerFrame): frame is Answer =>
  (answers as readonly string[]).includes(frame.t)

export type Job = {
  readonly c: string
  /** The text of the frame. Cannot throw, because the input was printed before. */
  readonly frame: (id: string) => string
  /** Sent twice, it might do something else the second time. */
  readonly onlyOnce: boolean
  /** The service has answered for good: nothing is sent again. */
  readonly settled: (outcome: Answer | Problem) => void
  /** It is given up here; whether the service has it is not known. */
  readonly dropped: (reason: unknown) => void
  /** Until this is true, neither it nor what is behind it in its queue is sent. */
  ready: boolean
}

export type WriteQueuesOptions = {
  readonly backoff: Backoff
  readonly newFrameId: () => string
  /** Answers false if there is no open socket; then nothing was sent. */
  readonly send: (text: string) => boolean
  /** There is a new connection, and nothing is under way on it. */
  readonly onWelcomed: () => void
  /** Whether there must be a connection although nothing waits. */
  readonly isWanted: () => boolean
}

/** The jobs of one conversation; the first one may be under way. */
type Queue = {
  readonly jobs: Job[]
  sent?: { readonly id: string; readonly bytes: number }
  resting?: ReturnType<typeof setTimeout>
  /** Of the first job. */
  failures: number
}

const lostAnswer = 'The connection was lost after the frame was sent and before its answer.'

const encoder = new TextEncoder()

export class WriteQueues implements Recording {
  readonly #options: WriteQueuesOptions
  readonly #queues = new Map<string, Queue>()
  /** Queues whose first job is under way, by the id of its frame. */
  readonly #unanswered = new Map<string, Queue>()
  #gate: CreditGate | undefined
  #frameBytesMax = 0
  #closed: { readonly reason: unknown } | undefined
  #onEmpty: (() => void)[] = []

  constructor(options: WriteQueuesOptions) {
    this.#options = options
  }

  /** After `close`, drops it at once. */
  add(job: Job): void {
    if (this.#closed === undefined) this.#queueOf(job).jobs.push(job)
    else job.dropped(this.#closed.reason)
  }

  /** Before all that waits in its queue; only while nothing is under way. */
  addFirst(job: Job): void {
    this.#queueOf(job).jobs.unshift(job)
  }

  remove(job: Job): void {
    const queue = this.#queues.get(job.c)
    const index = queue?.jobs.indexOf(job) ?? -1
    if (queue === undefined || index === -1) return
    queue.jobs.splice(index, 1)
    if (index === 0) queue.failures = 0
    // What is left goes behind those who have waited longer.
    this.#queues.delete(job.c)
    if (queue.jobs.length > 0) this.#queues.set(job.c, queue)
    if (this.#queues.size === 0) this.#tellEmpty()
  }

  /** Sends what the service takes now. */
  pump(): void {
    const turns = [...this.#queues.values()]
    for (const queue of turns) {
      const [job] = queue.jobs
      if (this.#gate === undefined) return
      if (job?.ready !== true || queue.sent !== undefined || queue.resting !== undefined) continue
      const sent = this.#send(queue, job, this.#gate)
      if (sent === 'not now') return
      // The job behind the one that was refused has its turn.
      if (sent === 'too large') turns.push(queue)
    }
  }

  welcomed(gate: CreditGate, { frameBytes }: Limits): void {
    this.#options.onWelcomed()
    this.#gate = gate
    this.#frameBytesMax = frameBytes
    this.pump()
  }

  lost(): void {
    this.#gate = undefined
    for (const id of [...this.#unanswered.keys()]) {
      const { job } = this.#take(id) ?? {}
      if (job?.onlyOnce === true)
        this.#settle(job, unknownOutcomeWithAdvice(lostAnswer, { isRepeatable: false }))
    }
  }

  receive(frame: ServerFrame): boolean {
    if (!isAnswer(frame) && frame.t !== 'problem') return false
    const { queue, job } = this.#take(frame.id ?? '') ?? {}
    if (queue === undefined || job === undefined) return frame.t !== 'problem'
    if (frame.t === 'problem') this.#refused(queue, job, Problem.received(frame))
    else this.#settle(job, frame)
    this.pump()
    return true
  }

  /** Drops all jobs. */
  refused(reason: unknown): void {
    const all = [...this.#queues.values()]
    this.#queues.clear()
    this.#unanswered.clear()
    for (const { jobs, resting } of all) {
      clearTimeout(resting)
      for (const job of jobs) job.dropped(reason)
    }
    this.#tellEmpty()
  }

  /** Drops all jobs, and every one that is added later. */
  close(reason: unknown): void {
    this.#closed = { reason }
    this.refused(reason)
  }

  busy(): boolean {
    return this.#queues.size > 0 || this.#options.isWanted()
  }

  /** Resolves when nothing waits. */
  async empty(): Promise<void> {
    if (this.#queues.size > 0) await new Promise<void>((resolve) => this.#onEmpty.push(resolve))
  }

  #queueOf({ c }: Job): Queue {
    const queue = this.#queues.get(c) ?? { jobs: [], failures: 0 }
    this.#queues.set(c, queue)
    return queue
  }

  #tellEmpty(): void {
    for (const resolve of this.#onEmpty.splice(0)) resolve()
  }

  #settle(job: Job, outcome: Answer | Problem): void {
    this.remove(job)
    job.settled(outcome)
  }

  #send(queue: Queue, job: Job, gate: CreditGate): 'sent' | 'not now' | 'too large' {
    const id = this.#options.newFrameId()
    const text = job.frame(id)
    const bytes = encoder.encode(text).byteLength
    if (bytes > this.#frameBytesMax) {
      // The service could not even tell whose frame it refuses.
      const detail = `The frame has ${bytes} bytes, and the service takes ${this.#frameBytesMax}.`
      this.#settle(job, new Problem('frame-too-large', detail))
      return 'too large'
    }
    if (!gate.enter(bytes)) return 'not now'
    if (!this.#options.send(text)) {
      gate.leave(bytes)
      return 'not now'
    }
    queue.sent = { id, bytes }
    this.#unanswered.set(id, queue)
    return 'sent'
  }

  /** The job whose frame this was, and its queue; it is under way no more. */
  #take(id: string): { queue: Queue; job: Job } | undefined {
    const queue = this.#unanswered.get(id)
    const [job] = queue?.jobs ?? []
    if (queue?.sent === undefined || job === undefined) return undefined
    this.#unanswered.delete(id)
    this.#gate?.leave(queue.sent.bytes)
    delete queue.sent
    return { queue, job }
  }

  #refused(queue: Queue, job: Job, problem: Problem): void {
    const isUnknown = problem.code === 'outcome-unknown'
    if (job.onlyOnce && (isUnknown || problem.code === 'internal')) {
      const advice = { isRepeatable: false, cause: problem }
      this.#settle(job, unknownOutcomeWithAdvice(problem.message, advice))
    } else if (problem.retryable || isUnknown) this.#rest(queue)
    else this.#settle(job, problem)
  }

  #rest(queue: Queue): void {
    queue.resting = setTimeout(
      () => {
        delete queue.resting
        this.pump()
      },
      fullJitterMs(this.#options.backoff, queue.failures),
    )
    queue.failures += 1
  }
}
