/**
 * The one table of error codes. REST bodies (RFC 9457), socket frames and the `/problems/<code>`
 * pages are made from it, so a code has one meaning everywhere. The titles are in
 * `problem-titles.ts` and the help in `problem-help.ts`: bundles of the client leave both out.
 */

export type ProblemRow = {
  /** HTTP status. */
  readonly status: number
  /** Whether the very same request can succeed later. */
  readonly retryable: boolean
}

const row = (status: number, retryable = false): ProblemRow => ({ status, retryable })

export const problemRows = {
  // The request cannot be read.
  'body-not-json': row(400),
  'body-too-large': row(413),
  'media-type-unsupported': row(415),
  'frame-invalid': row(400),
  'frame-too-large': row(413),
  'protocol-unsupported': row(400),
  'host-invalid': row(400),
  'host-refused': row(421),
  'origin-refused': row(403),
  'upgrade-required': row(426),
  // The request can be read but breaks a rule. Each entry of `errors` names one field.
  'request-invalid': row(422),
  'field-invalid': row(422),
  'field-missing': row(422),
  'field-unknown': row(422),
  'frame-unknown': row(422),
  'subscriptions-too-many': row(422),
  'id-invalid': row(422),
  'time-invalid': row(422),
  'time-ahead': row(422),
  'text-invalid': row(422),
  'url-invalid': row(422),
  'limit-invalid': row(422),
  'parts-too-many': row(422),
  'urls-too-many': row(422),
  'json-too-large': row(422),
  'number-inexact': row(422),
  'idempotency-key-invalid': row(422),
  'cursor-invalid': row(422),
  'page-invalid': row(422),
  'history-too-long': row(422),
  'segment-without-user': row(422),
  'heard-out-of-range': row(422),
  'message-not-ai': row(422),
  'part-out-of-range': row(422),
  // The request names something that does not exist, or no longer exists.
  'route-not-found': row(404),
  'method-not-allowed': row(405),
  'conversation-not-found': row(404),
  'message-not-found': row(404),
  'segment-not-found': row(404),
  'turn-not-open': row(404),
  'voice-session-not-found': row(404),
  'conversation-erased': row(410),
  // The request contradicts stored data.
  'conversation-taken': row(409),
  'external-id-taken': row(409),
  'id-taken': row(409),
  'idempotency-conflict': row(409),
  'seats-too-many': row(409, true),
  'audio-stale': row(409),
  'held-audio-too-much': row(409, true),
  'voice-session-ended': row(409),
  'voice-session-taken': row(409),
  'cursor-ahead': row(409),
  'version-mismatch': row(412),
  // The request is valid, but the service cannot serve it now.
  'database-unavailable': row(503, true),
  'database-slow': row(503, true),
  'database-full': row(503, true),
  'database-read-only': row(503, true),
  'database-refused': row(503, true),
  'outcome-unknown': row(503),
  'conversation-busy': row(503, true),
  draining: row(503, true),
  overloaded: row(503, true),
  internal: row(500, true),
  // Problems that `turnlog/client` raises itself. The service never sends them.
  'input-not-json': row(422),
  'service-unreachable': row(503, true),
  'answer-unusable': row(502),
  'connection-refused': row(403),
  'journal-full': row(507, true),
  'journal-failed': row(500, true),
} as const satisfies Record<string, ProblemRow>

export type ProblemCode = keyof typeof problemRows

export const problemCodes = /* @__PURE__ */ Object.keys(problemRows) as ProblemCode[]

/**
 * Titles of the problems that the client raises itself. The service sends a title with each of its
 * problems.
 */
export const clientTitles = {
  'frame-too-large': 'The frame is too large',
  'field-invalid': 'A field has the wrong type or form',
  'field-unknown': 'A field is unknown',
  'id-invalid': 'An id is not a UUID',
  'idempotency-key-invalid': 'The idempotency key is invalid',
  'idempotency-conflict': 'The idempotency key was used for another request',
  'outcome-unknown': 'It is unknown whether the write was stored',
  'input-not-json': 'The input cannot be sent as JSON',
  'service-unreachable': 'The service cannot be reached',
  'answer-unusable': 'The answer did not come from Turnlog',
  'connection-refused': 'The live connection was refused',
  'journal-full': 'The journal is full',
  'journal-failed': 'The journal cannot be written',
} as const satisfies Partial<Record<ProblemCode, string>>
