/** Recognition of problem documents (RFC 9457) in answers. */
import type { ReceivedProblem } from '../../problem-error.ts'
import { hasShape, isRecord, shapes } from './client-frames.ts'

/** The JSON value of a text. Undefined if the text is not JSON. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Whether a value is a problem document. */
export const isProblem = (value: unknown): value is ReceivedProblem =>
  isRecord(value) && hasShape(value, shapes.problem)
