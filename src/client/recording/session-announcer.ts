/**
 * The session announcer starts the voice sessions of this client, and starts them again on each new connection, before
 * all waiting writes.
 */

import { createDeferred } from '../../mechanics/deferred.ts'
import { Problem } from '../../problem-error.ts'
import { frameText } from '../wire/client-frames.ts'
import { jsonText } from '../wire/plain-json.ts'
import type { Answer, Job, WriteQueues } from './write-queues.ts'

export type NewSession = {
  readonly conversationId: string
  readonly sessionId: string
  readonly metadata: Record<string, unknown> | undefined
}

/** A `voice.start` frame as JSON text, without `id` and `c`. */
type Start = { readonly conversationId: string; readonly name: string; readonly text: string }

export type Sessions = {
  /** Starts a session, and resolves when it has started. Throws `input-not-json`, and then starts nothing. */
  start(session: NewSession): Promise<void>
  /** Ends a session, and resolves when it has ended, by this call or before. */
  end(conversationId: string, sessionId: string): Promise<void>
  /** Queues the starts of all sessions, because there is a new connection and no frame was sent on it. */
  welcomed(): void
  /** Whether a session is open, so that a connection is needed. */
  busy(): boolean
  /** Forgets all sessions. */
  close(): void
}

export function createSessions(queues: WriteQueues): Sessions {
  const openSessions = new Map<string, { readonly start: Start; job: Job | undefined }>()
  const nameOf = (conversationId: string, sessionId: string) => `${conversationId} ${sessionId}`

  const jobOf = (
    conversationId: string,
    text: string,
    settled: (outcome: Answer | Problem) => void,
    dropped: (reason: unknown) => void,
  ): Job => ({
    conversationId,
    frame: (id) => frameText(text, id, conversationId),
    onlyOnce: false,
    ready: true,
    settled,
    dropped,
  })

  const startJob = ({ conversationId, name, text }: Start) => {
    const started = createDeferred<void>()
    const clearJob = () => {
      const session = openSessions.get(name)
      if (session?.job === job) session.job = undefined
    }
    const job = jobOf(
      conversationId,
      text,
      (outcome) => {
        clearJob()
        if (!(outcome instanceof Problem)) return started.resolve()
        // The session has ended, or was started with other metadata: starting it again would change nothing.
        openSessions.delete(name)
        started.reject(outcome)
      },
      (reason) => {
        clearJob()
        started.reject(reason)
      },
    )
    return { job, started: started.promise }
  }

  return {
    start({ conversationId, sessionId, metadata }) {
      const text = jsonText({ t: 'voice.start', sessionId, metadata })
      const start = { conversationId, name: nameOf(conversationId, sessionId), text }
      const { job, started } = startJob(start)
      openSessions.set(start.name, { start, job })
      queues.add(job)
      return started
    },
    end(conversationId, sessionId) {
      const text = jsonText({ t: 'voice.end', sessionId })
      const ended = createDeferred<void>()
      const settled = (outcome: Answer | Problem) => {
        openSessions.delete(nameOf(conversationId, sessionId))
        const isDone = !(outcome instanceof Problem) || outcome.code === 'voice-session-ended'
        if (isDone) ended.resolve()
        else ended.reject(outcome)
      }
      queues.add(jobOf(conversationId, text, settled, ended.reject))
      return ended.promise
    },
    welcomed() {
      for (const session of openSessions.values()) {
        if (session.job !== undefined) continue
        const { job, started } = startJob(session.start)
        session.job = job
        // The caller of `start` already has its answer. Writes continue without the session.
        started.catch(() => {})
        queues.addFirst(job)
      }
    },
    busy: () => openSessions.size > 0,
    close: () => openSessions.clear(),
  }
}
