/** Voice sessions that this client speaks in: each new connection says so again, before all that waits. */

import { createDeferred } from '../../mechanics/deferred.ts'
import { Problem } from '../../problem-error.ts'
import { frameText } from '../wire/client-frames.ts'
import { jsonText } from '../wire/plain-json.ts'
import type { Answer, Job, WriteQueues } from './write-queues.ts'

export type NewSession = {
  readonly c: string
  readonly sessionId: string
  readonly metadata: Record<string, unknown> | undefined
}

/** A `voice.start` frame as JSON text, without `id` and `c`. */
type Start = { readonly c: string; readonly name: string; readonly text: string }

export type Sessions = {
  /** Resolves when the session has started. Throws `input-not-json`, and then does not start it. */
  start(session: NewSession): Promise<void>
  /** Resolves when it has ended, by whomever. */
  end(c: string, sessionId: string): Promise<void>
  /** There is a new connection, and nothing is under way on it. */
  welcomed(): void
  /** Whether somebody speaks: there must be a connection. */
  busy(): boolean
  close(): void
}

export function createSessions(queues: WriteQueues): Sessions {
  const spoken = new Map<string, { readonly start: Start; job: Job | undefined }>()
  const nameOf = (c: string, sessionId: string) => `${c} ${sessionId}`

  const jobOf = (
    c: string,
    text: string,
    settled: (outcome: Answer | Problem) => void,
    dropped: (reason: unknown) => void,
  ): Job => ({
    c,
    frame: (id) => frameText(text, id, c),
    onlyOnce: false,
    ready: true,
    settled,
    dropped,
  })

  const startJob = ({ c, name, text }: Start) => {
    const started = createDeferred<void>()
    const settled = () => {
      const mine = spoken.get(name)
      if (mine?.job === job) mine.job = undefined
    }
    const job = jobOf(
      c,
      text,
      (outcome) => {
        settled()
        if (!(outcome instanceof Problem)) return started.resolve()
        // It is over, or another's: to say so again would change nothing.
        spoken.delete(name)
        started.reject(outcome)
      },
      (reason) => {
        settled()
        started.reject(reason)
      },
    )
    return { job, started: started.promise }
  }

  return {
    start({ c, sessionId, metadata }) {
      const text = jsonText({ t: 'voice.start', sessionId, metadata })
      const start = { c, name: nameOf(c, sessionId), text }
      const { job, started } = startJob(start)
      spoken.set(start.name, { start, job })
      queues.add(job)
      return started
    },
    end(c, sessionId) {
      const text = jsonText({ t: 'voice.end', sessionId })
      const ended = createDeferred<void>()
      const settled = (outcome: Answer | Problem) => {
        spoken.delete(nameOf(c, sessionId))
        const isDone = !(outcome instanceof Problem) || outcome.code === 'voice-session-ended'
        if (isDone) ended.resolve()
        else ended.reject(outcome)
      }
      queues.add(jobOf(c, text, settled, ended.reject))
      return ended.promise
    },
    welcomed() {
      for (const one of spoken.values()) {
        if (one.job !== undefined) continue
        const { job, started } = startJob(one.start)
        one.job = job
        // The caller of `start` has its answer already; what is recorded goes on without the session.
        started.catch(() => {})
        queues.addFirst(job)
      }
    },
    busy: () => spoken.size > 0,
    close: () => spoken.clear(),
  }
}
