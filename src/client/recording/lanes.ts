/**
 * What waits for an answer of the service over a socket: one lane a conversation, in each one frame at a
 * time, so that what must wait is not overtaken. What had no answer when a connection is lost goes again.
 */
import { Problem } from '../../problem.ts'
import { type Backoff, fullJitterMs } from '../backoff.ts'
import type { Limits, ServerFrame } from '../client-frames.ts'
import { unknownOutcomeWithAdvice } from '../outcome-unknown.ts'
import type { CreditGate } from '../socket/credit-gate.ts'

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
  /** Its turn does not come before it is. */
  ready: boolean
}

export type Lanes = {
  /** After `close`, drops it at once. */
  add(job: Job): void
  /** Before all that waits; only while nothing is under way. */
  addFirst(job: Job): void
  remove(job: Job): void
  /** Gives the service what it takes now. */
  pump(): void
  welcomed(gate: CreditGate, limits: Limits): void
  lost(): void
  /** False: the frame is not for a job. */
  receive(frame: ServerFrame): boolean
  dropAll(reason: unknown): void
  /** Drops all jobs, and every one that is added later. */
  close(reason: unknown): void
  busy(): boolean
  /** Resolves when nothing waits. */
  empty(): Promise<void>
}

export type LanesOptions = {
  readonly backoff: Backoff
  readonly newFrameId: () => string
  /** Answers false if there is no open socket; then nothing was sent. */
  readonly send: (text: string) => boolean
}

/** The first job may be under way. */
type Lane = {
  readonly jobs: Job[]
  sent?: { readonly id: string; readonly bytes: number }
  resting?: ReturnType<typeof setTimeout>
  /** Of the first job. */
  failures: number
}

const lostAnswer = 'The connection was lost after the frame was sent and before its answer.'

const encoder = new TextEncoder()

export function createLanes({ backoff, newFrameId, send }: LanesOptions): Lanes {
  const lanes = new Map<string, Lane>()
  const unanswered = new Map<string, Lane>()
  let gate: CreditGate | undefined
  let frameBytesMax = 0
  let closed: { readonly reason: unknown } | undefined
  const waiting: (() => void)[] = []

  const remove = (job: Job) => {
    const lane = lanes.get(job.c)
    const place = lane?.jobs.indexOf(job) ?? -1
    if (lane === undefined || place === -1) return
    lane.jobs.splice(place, 1)
    if (place === 0) lane.failures = 0
    // What is left goes behind those who have waited longer.
    lanes.delete(job.c)
    if (lane.jobs.length > 0) lanes.set(job.c, lane)
    if (lanes.size > 0) return
    for (const resolve of waiting.splice(0)) resolve()
  }

  const settle = (job: Job, outcome: Answer | Problem) => {
    remove(job)
    job.settled(outcome)
  }

  const pump = () => {
    const left = [...lanes.values()]
    for (const lane of left) {
      const [job] = lane.jobs
      if (gate === undefined) return
      if (job?.ready !== true || lane.sent !== undefined || lane.resting !== undefined) continue
      const id = newFrameId()
      const text = job.frame(id)
      const bytes = encoder.encode(text).byteLength
      if (bytes > frameBytesMax) {
        // The service could not even tell whose frame it refuses.
        const detail = `The frame has ${bytes} bytes, and the service takes ${frameBytesMax}.`
        settle(job, new Problem('frame-too-large', detail))
        // Whoever waited behind it has its turn.
        left.push(lane)
        continue
      }
      if (!gate.enter(bytes)) return
      if (!send(text)) return gate.leave(bytes)
      lane.sent = { id, bytes }
      unanswered.set(id, lane)
    }
  }

  /** The job whose frame this was; it is under way no more. */
  const take = (id: string): { lane: Lane; job: Job } | undefined => {
    const lane = unanswered.get(id)
    const [job] = lane?.jobs ?? []
    if (lane?.sent === undefined || job === undefined) return undefined
    unanswered.delete(id)
    gate?.leave(lane.sent.bytes)
    delete lane.sent
    return { lane, job }
  }

  const rest = (lane: Lane) => {
    lane.resting = setTimeout(
      () => {
        delete lane.resting
        pump()
      },
      fullJitterMs(backoff, lane.failures),
    )
    lane.failures += 1
  }

  const dropAll = (reason: unknown) => {
    const all = [...lanes.values()]
    lanes.clear()
    unanswered.clear()
    for (const { jobs, resting } of all) {
      clearTimeout(resting)
      for (const job of jobs) job.dropped(reason)
    }
    for (const resolve of waiting.splice(0)) resolve()
  }

  return {
    add(job) {
      if (closed !== undefined) return job.dropped(closed.reason)
      const lane = lanes.get(job.c) ?? { jobs: [], failures: 0 }
      lanes.set(job.c, lane)
      lane.jobs.push(job)
    },
    addFirst(job) {
      const lane = lanes.get(job.c) ?? { jobs: [], failures: 0 }
      lanes.set(job.c, lane)
      lane.jobs.unshift(job)
    },
    remove,
    pump,
    welcomed(given, { frameBytes }) {
      gate = given
      frameBytesMax = frameBytes
      pump()
    },
    lost() {
      gate = undefined
      for (const id of [...unanswered.keys()]) {
        const { job } = take(id) ?? {}
        if (job?.onlyOnce === true)
          settle(job, unknownOutcomeWithAdvice(lostAnswer, { isRepeatable: false }))
      }
    },
    receive(frame) {
      if (!isAnswer(frame) && frame.t !== 'problem') return false
      const { lane, job } = take(frame.id ?? '') ?? {}
      if (lane === undefined || job === undefined) return frame.t !== 'problem'
      if (frame.t === 'problem') {
        const problem = Problem.told(frame)
        const unsure = problem.code === 'outcome-unknown' || problem.code === 'internal'
        if (unsure && job.onlyOnce)
          settle(
            job,
            unknownOutcomeWithAdvice(problem.message, { isRepeatable: false, cause: problem }),
          )
        else if (problem.retryable || problem.code === 'outcome-unknown') rest(lane)
        else settle(job, problem)
      } else settle(job, frame)
      pump()
      return true
    },
    dropAll,
    close(reason) {
      closed = { reason }
      dropAll(reason)
    },
    busy: () => lanes.size > 0,
    empty: async () => {
      if (lanes.size > 0) await new Promise<void>((resolve) => waiting.push(resolve))
    },
  }
}
