/** Voice sessions that this client speaks in: each new connection says so again, before all that waits. */
import { Problem } from '../problem.ts'
import { createDeferred } from './deferred.ts'
import type { ClientFrame } from './frames.ts'
import type { Answer, Job, Lanes } from './lanes.ts'

export type NewSession = {
  readonly c: string
  readonly sessionId: string
  readonly metadata?: Record<string, unknown>
}

export type Sessions = {
  /** Resolves when the session has started. */
  start(session: NewSession): Promise<void>
  /** Resolves when it has ended, by whomever. */
  end(c: string, sessionId: string): Promise<void>
  /** There is a new connection, and nothing is under way on it. */
  welcomed(): void
  /** Whether somebody speaks: there must be a connection. */
  busy(): boolean
  close(): void
}

export function createSessions(lanes: Lanes): Sessions {
  const spoken = new Map<string, { readonly session: NewSession; job: Job | undefined }>()
  const nameOf = (c: string, sessionId: string) => `${c} ${sessionId}`

  const jobOf = (
    c: string,
    frame: (id: string) => ClientFrame,
    settled: (outcome: Answer | Problem) => void,
    dropped: (reason: unknown) => void,
  ): Job => ({ c, frame, onlyOnce: false, ready: true, settled, dropped })

  const startJob = ({ c, sessionId, metadata }: NewSession) => {
    const name = nameOf(c, sessionId)
    const started = createDeferred<void>()
    const settled = () => {
      const mine = spoken.get(name)
      if (mine?.job === job) mine.job = undefined
    }
    const job = jobOf(
      c,
      (id) => ({
        t: 'voice.start',
        id,
        c,
        sessionId,
        ...(metadata === undefined ? {} : { metadata }),
      }),
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
    start(session) {
      const { job, started } = startJob(session)
      spoken.set(nameOf(session.c, session.sessionId), { session, job })
      lanes.add(job)
      return started
    },
    end(c, sessionId) {
      const ended = createDeferred<void>()
      const settled = (outcome: Answer | Problem) => {
        spoken.delete(nameOf(c, sessionId))
        const isDone = !(outcome instanceof Problem) || outcome.code === 'voice-session-ended'
        if (isDone) ended.resolve()
        else ended.reject(outcome)
      }
      lanes.add(jobOf(c, (id) => ({ t: 'voice.end', id, c, sessionId }), settled, ended.reject))
      return ended.promise
    },
    welcomed() {
      for (const one of spoken.values()) {
        if (one.job !== undefined) continue
        const { job, started } = startJob(one.session)
        one.job = job
        // Whoever started it was told then; what is recorded goes on without it.
        started.catch(() => {})
        lanes.addFirst(job)
      }
    },
    busy: () => spoken.size > 0,
    close: () => spoken.clear(),
  }
}
