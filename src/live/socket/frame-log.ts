/**
 * The frame log writes a line for each frame that the service failed to serve, and for each frame
 * whose answer was slow.
 */
import { newId } from '../../conversation/wire/ids.ts'
import type { Events } from '../../events.ts'
import type { Problem } from '../../problem.ts'

/** The fields of a frame that a log line may show. */
export type FrameName = { readonly t?: string; readonly c?: string }

export type FrameLog = {
  /**
   * Logs a failure. Returns the request id for the `problem`. `startedAt` is by
   * `performance.now()`.
   */
  failed(problem: Problem, frame: FrameName, startedAt?: number): string
  /** Logs the frame if its answer was slow. */
  answered(frame: FrameName, startedAt: number): void
}

/** `slowMs` is the time in milliseconds after which a frame counts as slow; 0 logs none. */
export function createFrameLog(events: Events, slowMs: number): FrameLog {
  const answeredNow = ({ t, c }: FrameName, startedAt: number, requestId: string) => ({
    route: t === undefined ? '/v1/live' : `/v1/live ${t}`,
    ms: Math.round((performance.now() - startedAt) * 10) / 10,
    requestId,
    conversationId: c,
  })
  return {
    failed(problem, frame, startedAt = performance.now()) {
      const { code, status, cause } = problem
      const requestId = newId()
      const failed = { ...answeredNow(frame, startedAt, requestId), code, status }
      if (code === 'internal') events.requestFailed({ ...failed, cause: cause ?? problem })
      else events.requestUnserved({ ...failed, cause })
      return requestId
    },
    answered(frame, startedAt) {
      if (slowMs > 0 && performance.now() - startedAt > slowMs)
        events.requestSlow({ ...answeredNow(frame, startedAt, newId()), status: undefined })
    },
  }
}
