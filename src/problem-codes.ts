/**
 * The one table of error codes. REST bodies (RFC 9457), socket frames and the `/problems/<code>`
 * pages are all made from it, so a code means one thing wherever it is met.
 */

type Row = {
  /** HTTP status. */
  readonly status: number
  /** One short line, the same for every occurrence. */
  readonly title: string
  /** Whether the very same request can succeed later. */
  readonly retryable: boolean
  /** What happened and what to do about it: the text of the problem's page. */
  readonly help: string
}

const row = (status: number, title: string, help: string, retryable = false): Row => ({
  status,
  title,
  retryable,
  help,
})

export const problems = {
  // What was sent cannot be read.
  'body-not-json': row(
    400,
    'The body is not JSON',
    'The body must be one JSON value in UTF-8. The detail says where reading stopped.',
  ),
  'body-too-large': row(
    413,
    'The body is too large',
    'Send less at once. The bound in bytes is a setting, which the detail names. A body also holds at most 65,536 values, 16,384 of them with a name.',
  ),
  'media-type-unsupported': row(
    415,
    'The media type is not supported',
    'Send `Content-Type: application/json`, without a content encoding.',
  ),
  'frame-invalid': row(
    400,
    'The frame cannot be read',
    'A frame is one JSON object in a text message, and says in `t` what it is. The detail says what is wrong.',
  ),
  'frame-too-large': row(
    413,
    'The frame is too large',
    '`welcome.limits.frameBytes` says how large a frame may be. One of more than four times that closes the socket. A frame also holds at most 65,536 values, 16,384 of them with a name.',
  ),
  'protocol-unsupported': row(
    400,
    'None of the subprotocols is spoken here',
    'Offer `turnlog.v1` in `Sec-WebSocket-Protocol`, or none at all.',
  ),
  'origin-refused': row(
    403,
    'Pages of this origin may not connect',
    'A browser may connect from the host of the service itself, or from an origin that the setting `live.allowedOrigins` names.',
  ),
  'upgrade-required': row(
    426,
    'This address speaks WebSocket',
    'Connect with a WebSocket client: `ws://` or `wss://`, and the same path.',
  ),
  // What was sent can be read, and breaks a rule. Each entry of `errors` names one place.
  'request-invalid': row(
    422,
    'The request breaks several rules',
    'Each entry of `errors` names one place and what is wrong there.',
  ),
  'field-invalid': row(
    422,
    'A field has the wrong type or form',
    'The OpenAPI document at `/swagger/json` has the shape of every field.',
  ),
  'field-missing': row(
    422,
    'A required field is missing',
    'The OpenAPI document at `/swagger/json` has the shape of every body.',
  ),
  'field-unknown': row(
    422,
    'A field is not known',
    'Unknown fields and query parameters are refused, so that a misspelt one is not lost in silence.',
  ),
  'frame-unknown': row(
    422,
    'There is no such frame',
    'The AsyncAPI document at `/asyncapi.json` has every frame.',
  ),
  'subscriptions-too-many': row(
    422,
    'The socket follows too many conversations',
    '`welcome.limits.subscriptions` says how many one socket may follow. Open another one, or end a subscription.',
  ),
  'id-invalid': row(
    422,
    'An id is not a UUID',
    'Conversation, message and segment ids are UUIDs in their usual text form.',
  ),
  'time-invalid': row(
    422,
    'A time is not a time',
    'Times are RFC 3339, for example `2026-11-23T09:30:00.123456Z`; an offset may be `+02:00`, `+0200` or `+02`. Without a zone a time is UTC. A leap second (`:60`) is stored as the last microsecond before the next minute. Years are 0001 to 9999.',
  ),
  'time-ahead': row(
    422,
    'A time is too far ahead',
    'One wrong clock must not pin `lastMessageAt` in the future. Correct the clock, or leave the time out.',
  ),
  'text-invalid': row(
    422,
    'A text holds a character that cannot be stored',
    'NUL (U+0000) and lone surrogates are refused, in values and in the names of fields alike.',
  ),
  'url-invalid': row(
    422,
    'A URL is not http or https',
    'Audio URLs are absolute http or https URLs.',
  ),
  'limit-invalid': row(
    422,
    'A limit is out of range',
    'The detail names the range. The upper bound is a setting.',
  ),
  'parts-too-many': row(
    422,
    'The answer has too many parts',
    'The bound counts after `[SPLIT]` has been split. It is a setting; the detail names it.',
  ),
  'urls-too-many': row(
    422,
    'There are too many audio URLs',
    'The bound is a setting; the detail names it.',
  ),
  'json-too-large': row(
    422,
    'A JSON value is too large or too deep',
    '`metadata` and `memoryRetrievalTrace` have bounds in bytes and in depth; the detail names them.',
  ),
  'number-inexact': row(
    422,
    'A number cannot be kept as it was sent',
    'In `metadata` and `memoryRetrievalTrace`, an integer that a double does not hold digit for digit (such as 9007199254740993) and a number beyond its range (1e400) are refused, never rounded. Send it as a text. A number with a fraction or an exponent is read as the nearest double.',
  ),
  'idempotency-key-invalid': row(
    422,
    'The idempotency key is not usable',
    'A key is 1 to 255 visible ASCII characters.',
  ),
  'cursor-invalid': row(
    422,
    'The cursor is not one of this conversation',
    'A cursor is opaque: keep it as it came, and use it with the conversation that gave it.',
  ),
  'page-invalid': row(
    422,
    'The page token is not one of this list',
    'Use `nextPage` as it came, with the same list.',
  ),
  'history-too-long': row(
    422,
    'The history is too long for one answer',
    'Ask for `last`, or page through `/messages`.',
  ),
  'segment-without-user': row(
    422,
    'Only a turn with a human message completes a segment',
    'Leave out `segment.agentResponse` to tag an AI-only turn without completing the segment.',
  ),
  'heard-out-of-range': row(
    422,
    'More was heard than was said',
    'The detail says how many parts and characters (Unicode code points, without `[SPLIT]`) the message has.',
  ),
  'message-not-ai': row(
    422,
    'The message is not one of the AI',
    'Audio and what was heard belong to AI messages. Name the AI message of the turn.',
  ),
  'part-out-of-range': row(
    422,
    'The message has no such part',
    'Parts count from 0. The detail says how many the message has.',
  ),
  // What was named does not exist, or not any more.
  'route-not-found': row(404, 'There is nothing at this address', 'See `/swagger` for the routes.'),
  'method-not-allowed': row(
    405,
    'The method is not allowed here',
    'The `Allow` header names the methods of this address.',
  ),
  'conversation-not-found': row(
    404,
    'There is no such conversation',
    'Create it first with `POST /v1/conversations`.',
  ),
  'message-not-found': row(
    404,
    'There is no such message',
    'The conversation exists and has no message of this id.',
  ),
  'segment-not-found': row(
    404,
    'There is no such segment',
    'The conversation has no segment of this id. Create it first with `POST .../segments`.',
  ),
  'turn-not-open': row(
    404,
    'There is no such open turn',
    'The conversation has no turn that was opened with this key. Open it first.',
  ),
  'voice-session-not-found': row(
    404,
    'There is no such voice session',
    'The conversation has no voice session of this id.',
  ),
  'conversation-erased': row(
    410,
    'The conversation was erased',
    'Its content is gone, and its id is never used again.',
  ),
  // What was sent contradicts what is stored.
  'conversation-taken': row(
    409,
    'The conversation id is taken',
    'A conversation of this id exists and was created with another body.',
  ),
  'external-id-taken': row(
    409,
    'The external id is taken',
    'Another conversation has this external id.',
  ),
  'id-taken': row(
    409,
    'The message id is taken',
    'The conversation has a message of this id. Send an idempotency key to make a retry safe.',
  ),
  'idempotency-conflict': row(
    409,
    'The idempotency key was used for something else',
    'The same key came with another body. A key names one turn for the life of the conversation.',
  ),
  'seats-too-many': row(
    409,
    'Too many turns are open',
    'Complete some, or wait until their seats expire. The bound is the setting `voice.seatsMax`.',
    true,
  ),
  'audio-stale': row(
    409,
    'The audio was made of another text',
    'The hash is not that of the part as it is: its text was split or worded anew. Synthesise it again.',
  ),
  'held-audio-too-much': row(
    409,
    'Too much audio waits for its turns',
    'Record the turns, or wait until it expires. The bound is the setting `voice.heldAudioMax`.',
    true,
  ),
  'voice-session-ended': row(
    409,
    'The voice session has ended',
    'It was ended already, and does not start again. Start another one.',
  ),
  'voice-session-taken': row(
    409,
    'The voice session id is taken',
    'A voice session of this id was started with other metadata.',
  ),
  'cursor-ahead': row(
    409,
    'The cursor is ahead of the conversation',
    'The conversation has not reached this cursor: it comes from another database, or from before a restore. Read again from the start.',
  ),
  'version-mismatch': row(
    412,
    'The conversation has another version',
    '`If-Match` named a version that is not the current one. Read again, and decide again.',
  ),
  // What was sent is fine, and the service cannot do it now.
  'database-unavailable': row(
    503,
    'The database cannot be reached',
    'Nothing was written. Try again after `Retry-After` seconds.',
    true,
  ),
  'outcome-unknown': row(
    503,
    'The outcome is not known',
    'The database was lost between the write and its answer. Send the same again with the same idempotency key: it is recorded once.',
    true,
  ),
  'conversation-busy': row(
    503,
    'Other writers keep the conversation busy',
    'Nothing was written. Try again after `Retry-After` seconds.',
    true,
  ),
  draining: row(
    503,
    'The service is about to stop',
    'Connect again: another node will answer.',
    true,
  ),
  overloaded: row(
    503,
    'Too many writes are waiting',
    'Nothing was written. Try again after `Retry-After` seconds.',
    true,
  ),
  internal: row(
    500,
    'Something went wrong here',
    'This is a fault of the service. Its log has the reason under the `requestId`.',
    true,
  ),
  // What the client `turnlog/client` meets on its way; no service answers these.
  'service-unreachable': row(
    503,
    'The service cannot be reached',
    'The client read nothing from the service in the time it had. The cause is in `cause`.',
    true,
  ),
  'answer-unusable': row(
    502,
    'The answer is not one of this service',
    'What answered is no Turnlog, or something between changed the answer. Look at the URL.',
  ),
  'connection-refused': row(
    403,
    'The live connection was refused',
    'The service closed the socket with a code from 4000 to 4099: it will not take this client as it is. The detail has the code and the reason.',
  ),
  'journal-full': row(
    507,
    'The send journal is full',
    'Too many turns wait for the service. Nothing was sent. Wait for some to be recorded, or give the journal more room.',
    true,
  ),
} as const satisfies Record<string, Row>

export type ProblemCode = keyof typeof problems

export const problemCodes = Object.keys(problems) as ProblemCode[]
