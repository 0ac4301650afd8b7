/**
 * WriteQueues holds the writes sent over a socket until the service answers them. Each conversation has one queue,
 * which sends one frame at a time, so that no write overtakes another. A write that had no answer when the connection
 * was lost is sent again over the next connection, unless it must be sent only once: then its outcome is unknown. The
 * link, which owns the connection, calls this class for each new connection and each frame.
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

/** A frame that answers a job. */
export type Answer = Extract<ServerFrame, { t: (typeof answers)[number] }>

const isAnswer = (frame: ServerFrame): frame is Answer =>
  (answers as readonly string[]).includes(frame.t)

/** One write that waits for its answer. */
export type Job = {
  readonly conversationId: string
  /** Makes the text of the frame. It cannot throw, because the input was already turned into JSON. */
  readonly frame: (id: string) => string
  /** Whether sending the job twice could write twice, so that it must not be sent again. */
  readonly onlyOnce: boolean
  /** Called with the final answer of the service: the job is not sent again. */
  readonly settled: (outcome: Answer | Problem) => void
  /** Called when the client gives the job up. The service may or may not have it. */
  readonly dropped: (reason: unknown) => void
  /** Whether the job may be sent. Until then, the jobs behind it in its queue wait, too. */
  ready: boolean
}

export type WriteQueuesOptions = {
  readonly backoff: Backoff
  readonly newFrameId: () => string
  /** Sends a frame. Returns false if there is no open socket; then nothing was sent. */
  readonly send: (text: string) => boolean
  /** Called for a new connection, before any frame is sent on it. */
  readonly onWelcomed: () => void
  /** Whether a connection is needed although no job waits. */
  readonly isWanted: () => boolean
}

/** The jobs of one conversation. */
type Queue = {
  readonly jobs: Job[]
  /** The frame of the first job, if it was sent and has no answer yet. */
  sent?: { readonly id: string; readonly bytes: number }
  /** The timer of the wait before the first job is sent again. */
  retry?: ReturnType<typeof setTimeout>
  /** The number of times that the first job was refused for now and is to be sent again. */
  failures: number
}

const lostAnswer = 'The connection was lost after the frame was sent and before its answer.'

const encoder = new TextEncoder()

export class WriteQueues implements Recording {
  readonly #options: WriteQueuesOptions
  readonly #queues = new Map<string, Queue>()
  /** Queues whose first job has been sent and has no answer, by the id of its frame. */
  readonly #unanswered = new Map<string, Queue>()
  #gate: CreditGate | undefined
  #frameBytesMax = 0
  #closed: { readonly reason: unknown } | undefined
  #onEmpty: (() => void)[] = []

  constructor(options: WriteQueuesOptions) {
    this.#options = options
  }

  /** Adds a job at the end of its queue. After `close`, drops it at once. */
  add(job: Job): void {
    if (this.#closed === undefined) this.#queueOf(job).jobs.push(job)
    else job.dropped(this.#closed.reason)
  }

  /** Adds a job at the front of its queue. Allowed only while no frame of the queue waits for its answer. */
  addFirst(job: Job): void {
    this.#queueOf(job).jobs.unshift(job)
  }

  /** Removes a job. The rest of its queue moves behind the other queues. */
  remove(job: Job): void {
    const queue = this.#queues.get(job.conversationId)
    const index = queue?.jobs.indexOf(job) ?? -1
    if (queue === undefined || index === -1) return
    queue.jobs.splice(index, 1)
    if (index === 0) queue.failures = 0
    // A `Map` keeps the order of insertion, so the other queues are sent first.
    this.#queues.delete(job.conversationId)
    if (queue.jobs.length > 0) this.#queues.set(job.conversationId, queue)
    if (this.#queues.size === 0) this.#resolveEmpty()
  }

  /** Sends the first job of each queue, as far as the service's credit allows. */
  pump(): void {
    const queues = [...this.#queues.values()]
    for (const queue of queues) {
      const [job] = queue.jobs
      if (this.#gate === undefined) return
      if (job?.ready !== true || queue.sent !== undefined || queue.retry !== undefined) continue
      const sent = this.#send(queue, job, this.#gate)
      if (sent === 'not now') return
      // The job behind the one that is too large is tried later in this loop.
      if (sent === 'too large') queues.push(queue)
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

  /** Takes a frame. Returns false if it answers no write, so that it belongs to a subscription. */
  receive(frame: ServerFrame): boolean {
    if (!isAnswer(frame) && frame.t !== 'problem') return false
    const { queue, job } = this.#take(frame.id ?? '') ?? {}
    if (queue === undefined || job === undefined) return frame.t !== 'problem'
    if (frame.t === 'problem') this.#jobRefused(queue, job, Problem.received(frame))
    else this.#settle(job, frame)
    this.pump()
    return true
  }

  /** Drops all jobs, because the service refuses this client's connection. */
  connectionRefused(reason: unknown): void {
    const all = [...this.#queues.values()]
    this.#queues.clear()
    this.#unanswered.clear()
    for (const { jobs, retry } of all) {
      clearTimeout(retry)
      for (const job of jobs) job.dropped(reason)
    }
    this.#resolveEmpty()
  }

  /** Drops all jobs, and every job that is added later. */
  close(reason: unknown): void {
    this.#closed = { reason }
    this.connectionRefused(reason)
  }

  busy(): boolean {
    return this.#queues.size > 0 || this.#options.isWanted()
  }

  /** Resolves when no job waits. */
  async empty(): Promise<void> {
    if (this.#queues.size > 0) await new Promise<void>((resolve) => this.#onEmpty.push(resolve))
  }

  #queueOf({ conversationId }: Job): Queue {
    const queue = this.#queues.get(conversationId) ?? { jobs: [], failures: 0 }
    this.#queues.set(conversationId, queue)
    return queue
  }

  #resolveEmpty(): void {
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
      // The service could not name this frame in its answer: it refuses a large frame before it reads the id.
      const detail = `The frame has ${bytes} bytes, and the service accepts ${this.#frameBytesMax}.`
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

  /**
   * Returns the job of an answered or lost frame, and its queue. If the connection is open, it also frees the credit of
   * the frame: the service then accepts another one.
   */
  #take(id: string): { queue: Queue; job: Job } | undefined {
    const queue = this.#unanswered.get(id)
    const [job] = queue?.jobs ?? []
    if (queue?.sent === undefined || job === undefined) return undefined
    this.#unanswered.delete(id)
    this.#gate?.leave(queue.sent.bytes)
    delete queue.sent
    return { queue, job }
  }

  /** Settles a job that the service answered with a problem, or sends it again later. */
  #jobRefused(queue: Queue, job: Job, problem: Problem): void {
    const isUnknown = problem.code === 'outcome-unknown'
    if (job.onlyOnce && (isUnknown || problem.code === 'internal')) {
      const advice = { isRepeatable: false, cause: problem }
      this.#settle(job, unknownOutcomeWithAdvice(problem.message, advice))
    } else if (problem.retryable || isUnknown) this.#retryLater(queue)
    else this.#settle(job, problem)
  }

  /** Sends the first job of a queue again after a random wait. */
  #retryLater(queue: Queue): void {
    queue.retry = setTimeout(
      () => {
        delete queue.retry
        this.pump()
      },
      fullJitterMs(this.#options.backoff, queue.failures),
    )
    queue.failures += 1
  }
}
