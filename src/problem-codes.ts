/**
 * The one table of error codes. REST bodies (RFC 9457), socket frames and the `/problems/<code>`
 * pages are all made from it, so a code means one thing wherever it is met. What to do about each
 * stands in `problem-help.ts`, which a client is not burdened with.
 */

export type ProblemRow = {
  /** HTTP status. */
  readonly status: number
  /** One short line, the same for every occurrence. */
  readonly title: string
  /** Whether the very same request can succeed later. */
  readonly retryable: boolean
}

const row = (status: number, title: string, retryable = false): ProblemRow => ({
  status,
  title,
  retryable,
})

export const problemRows = {
  // What was sent cannot be read.
  'body-not-json': row(400, 'The body is not JSON'),
  'body-too-large': row(413, 'The body is too large'),
  'media-type-unsupported': row(415, 'The media type is not supported'),
  'frame-invalid': row(400, 'The frame cannot be read'),
  'frame-too-large': row(413, 'The frame is too large'),
  'protocol-unsupported': row(400, 'None of the subprotocols is spoken here'),
  'host-invalid': row(400, 'The Host header is not a host'),
  'host-refused': row(421, 'The service does not answer under this host name'),
  'origin-refused': row(403, 'Pages of this origin may not do this'),
  'upgrade-required': row(426, 'This address speaks WebSocket'),
  // What was sent can be read, and breaks a rule. Each entry of `errors` names one place.
  'request-invalid': row(422, 'The request breaks several rules'),
  'field-invalid': row(422, 'A field has the wrong type or form'),
  'field-missing': row(422, 'A required field is missing'),
  'field-unknown': row(422, 'A field is not known'),
  'frame-unknown': row(422, 'There is no such frame'),
  'subscriptions-too-many': row(422, 'The socket follows too many conversations'),
  'id-invalid': row(422, 'An id is not a UUID'),
  'time-invalid': row(422, 'A time is not a time'),
  'time-ahead': row(422, 'A time is too far ahead'),
  'text-invalid': row(422, 'A text holds a character that cannot be stored'),
  'url-invalid': row(422, 'A URL is not http or https'),
  'limit-invalid': row(422, 'A limit is out of range'),
  'parts-too-many': row(422, 'The answer has too many parts'),
  'urls-too-many': row(422, 'There are too many audio URLs'),
  'json-too-large': row(422, 'A JSON value is too large or too deep'),
  'number-inexact': row(422, 'A number cannot be kept as it was sent'),
  'idempotency-key-invalid': row(422, 'The idempotency key is not usable'),
  'cursor-invalid': row(422, 'The cursor is not one of this conversation'),
  'page-invalid': row(422, 'The page token is not one of this list'),
  'history-too-long': row(422, 'The history is too long for one answer'),
  'segment-without-user': row(422, 'Only a turn with a human message completes a segment'),
  'heard-out-of-range': row(422, 'More was heard than was said'),
  'message-not-ai': row(422, 'The message is not one of the AI'),
  'part-out-of-range': row(422, 'The message has no such part'),
  // What was named does not exist, or not any more.
  'route-not-found': row(404, 'There is nothing at this address'),
  'method-not-allowed': row(405, 'The method is not allowed here'),
  'conversation-not-found': row(404, 'There is no such conversation'),
  'message-not-found': row(404, 'There is no such message'),
  'segment-not-found': row(404, 'There is no such segment'),
  'turn-not-open': row(404, 'There is no such open turn'),
  'voice-session-not-found': row(404, 'There is no such voice session'),
  'conversation-erased': row(410, 'The conversation was erased'),
  // What was sent contradicts what is stored.
  'conversation-taken': row(409, 'The conversation id is taken'),
  'external-id-taken': row(409, 'The external id is taken'),
  'id-taken': row(409, 'The message id is taken'),
  'idempotency-conflict': row(409, 'The idempotency key was used for something else'),
  'seats-too-many': row(409, 'Too many turns are open', true),
  'audio-stale': row(409, 'The audio was made of another text'),
  'held-audio-too-much': row(409, 'Too much audio waits for its turns', true),
  'voice-session-ended': row(409, 'The voice session has ended'),
  'voice-session-taken': row(409, 'The voice session id is taken'),
  'cursor-ahead': row(409, 'The cursor is ahead of the conversation'),
  'version-mismatch': row(412, 'The conversation has another version'),
  // What was sent is fine, and the service cannot do it now.
  'database-unavailable': row(503, 'The database cannot be reached', true),
  'database-slow': row(503, 'The database did not answer in time', true),
  'database-full': row(503, 'The database has no space left on its disk', true),
  'database-read-only': row(503, 'The database takes no writes', true),
  'database-refused': row(503, 'The database refused the statement', true),
  'outcome-unknown': row(503, 'The outcome is not known'),
  'conversation-busy': row(503, 'Other writers keep the conversation busy', true),
  draining: row(503, 'The service is about to stop', true),
  overloaded: row(503, 'Too many writes are waiting', true),
  internal: row(500, 'Something went wrong here', true),
  // What the client `turnlog/client` meets on its way; no service answers these.
  'input-not-json': row(422, 'The input cannot be printed as JSON'),
  'service-unreachable': row(503, 'The service cannot be reached', true),
  'answer-unusable': row(502, 'The answer is not one of this service'),
  'connection-refused': row(403, 'The live connection was refused'),
  'journal-full': row(507, 'The send journal is full', true),
  'journal-failed': row(500, 'The send journal cannot be written', true),
} as const satisfies Record<string, ProblemRow>

export type ProblemCode = keyof typeof problemRows

export const problemCodes = /* @__PURE__ */ Object.keys(problemRows) as ProblemCode[]
