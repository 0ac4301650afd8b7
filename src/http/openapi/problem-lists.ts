/** Lists of problems that several operations share. */
import type { ProblemCode } from '../../problem.ts'

/** Problems that every operation of the API can answer with. */
export const commonProblems: readonly ProblemCode[] = [
  'host-invalid',
  'host-refused',
  'request-invalid',
  'field-invalid',
  'field-unknown',
  'database-unavailable',
  'database-slow',
  'database-full',
  'database-read-only',
  'database-refused',
  'internal',
]

/** Problems of every write, with or without a body. */
export const writeProblems = [
  'origin-refused',
  'media-type-unsupported',
] as const satisfies readonly ProblemCode[]

/** Problems of every write with a body. */
export const bodyProblems = [
  ...writeProblems,
  'body-not-json',
  'body-too-large',
  'field-missing',
  'json-too-large',
  'number-inexact',
  'text-invalid',
] as const satisfies readonly ProblemCode[]

/** Problems of writes to a conversation that may name a segment. */
export const conversationWriteProblems = [
  'id-invalid',
  'conversation-not-found',
  'conversation-erased',
  'segment-not-found',
  'conversation-busy',
  'outcome-unknown',
] as const satisfies readonly ProblemCode[]
