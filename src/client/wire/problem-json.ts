/** Problem documents (RFC 9457) among the JSON values of answers. */
import type { ReceivedProblem } from '../../problem-error.ts'
import { hasShape, isRecord, shapes } from './client-frames.ts'

/** The JSON value of a text; undefined where it is no JSON. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export const isProblem = (value: unknown): value is ReceivedProblem =>
  isRecord(value) && hasShape(value, shapes.problem)
