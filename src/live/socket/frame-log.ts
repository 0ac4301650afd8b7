/** Which frames become a line of the log: those that the service failed, and slow ones. */
import { newId } from '../../conversation/wire/ids.ts'
import type { Events } from '../../events.ts'
import type { Problem } from '../../problem.ts'

/** The fields of a frame that a log line may show. */
export type FrameName = { readonly t?: string; readonly c?: string }

export type FrameLog = {
  /** `startedAt` is `performance.now()`. Answers the request id that the problem's frame carries. */
  failed(problem: Problem, frame: FrameName, startedAt?: number): string
  /** A frame whose sender waits for the answer has got it. */
  answered(frame: FrameName, startedAt: number): void
}

/** `slowMs`: a slower frame is a line; 0 turns that off. */
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
