/** What happened and what to do about it: the texts of the problems' pages, which no client needs. */
import { type ProblemCode, type ProblemRow, problemCodes, problemRows } from './problem-codes.ts'
import { problemTitles } from './problem-titles.ts'

const help: Readonly<Record<ProblemCode, string>> = {
  'body-not-json':
    'The body must be one JSON value in UTF-8. The detail says where reading stopped.',
  'body-too-large':
    'Send less at once. The bound in bytes is a setting, which the detail names. A body also holds at most 65,536 values, 16,384 of them with a name.',
  'media-type-unsupported': 'Send `Content-Type: application/json`, without a content encoding.',
  'frame-invalid':
    'A frame is one JSON object in a text message, and says in `t` what it is. The detail says what is wrong.',
  'frame-too-large':
    '`welcome.limits.frameBytes` says how large a frame may be. One of more than four times that closes the socket. A frame also holds at most 65,536 values, 16,384 of them with a name.',
  'protocol-unsupported': 'Offer `turnlog.v1` in `Sec-WebSocket-Protocol`, or none at all.',
  'host-invalid': 'Send one `Host` header: a name or an address, with a port or without.',
  'host-refused':
    'Nobody is authenticated here, so a web page whose name is pointed at this machine could read and erase everything. Where the service listens on loopback, use `localhost` or `127.0.0.1`; else, and for another name, name the host in the setting `server.allowedHosts`.',
  'origin-refused':
    'A web page may write and connect if it comes from the host and port of the service itself, from an origin that the setting `server.allowedOrigins` names, or, where the service listens on loopback alone, from localhost.',
  'upgrade-required': 'Connect with a WebSocket client: `ws://` or `wss://`, and the same path.',
  'request-invalid': 'Each entry of `errors` names one place and what is wrong there.',
  'field-invalid': 'The OpenAPI document at `/swagger/json` has the shape of every field.',
  'field-missing': 'The OpenAPI document at `/swagger/json` has the shape of every body.',
  'field-unknown':
    'Unknown fields and query parameters are refused, so that a misspelt one is not lost in silence.',
  'frame-unknown': 'The AsyncAPI document at `/asyncapi.json` has every frame.',
  'subscriptions-too-many':
    '`welcome.limits.subscriptions` says how many one socket may follow. Open another one, or end a subscription.',
  'id-invalid': 'Conversation, message and segment ids are UUIDs in their usual text form.',
  'time-invalid':
    'Times are RFC 3339, for example `2026-11-23T09:30:00.123456Z`; an offset may be `+02:00`, `+0200` or `+02`. Without a zone a time is UTC. A leap second (`:60`) is stored as the last microsecond before the next minute. Years are 0001 to 9999.',
  'time-ahead':
    'One wrong clock must not pin `lastMessageAt` in the future. Correct the clock, or leave the time out.',
  'text-invalid':
    'NUL (U+0000) and lone surrogates are refused, in values and in the names of fields alike.',
  'url-invalid': 'Audio URLs are absolute http or https URLs.',
  'limit-invalid': 'The detail names the range. The upper bound is a setting.',
  'parts-too-many':
    'The bound counts after `[SPLIT]` has been split. It is a setting; the detail names it.',
  'urls-too-many': 'The bound is a setting; the detail names it.',
  'json-too-large':
    '`metadata` and `memoryRetrievalTrace` have bounds in bytes and in depth; the detail names them.',
  'number-inexact':
    'In `metadata` and `memoryRetrievalTrace`, an integer that a double does not hold digit for digit (such as 9007199254740993) and a number beyond its range (1e400) are refused, never rounded. Send it as a text. A number with a fraction or an exponent is read as the nearest double.',
  'idempotency-key-invalid': 'A key is 1 to 255 visible ASCII characters.',
  'cursor-invalid':
    'A cursor is opaque: keep it as it came, and use it with the conversation that gave it.',
  'page-invalid': 'Use `nextPage` as it came, with the same list.',
  'history-too-long': 'Ask for `last`, or page through `/messages`.',
  'segment-without-user':
    'Leave out `segment.agentResponse` to tag an AI-only turn without completing the segment.',
  'heard-out-of-range':
    'The detail says how many parts and characters (Unicode code points, without `[SPLIT]`) the message has.',
  'message-not-ai':
    'Audio and what was heard belong to AI messages. Name the AI message of the turn.',
  'part-out-of-range': 'Parts count from 0. The detail says how many the message has.',
  'route-not-found': 'See `/swagger` for the routes.',
  'method-not-allowed': 'The `Allow` header names the methods of this address.',
  'conversation-not-found': 'Create it first with `POST /v1/conversations`.',
  'message-not-found': 'The conversation exists and has no message of this id.',
  'segment-not-found':
    'The conversation has no segment of this id. Create it first with `POST .../segments`.',
  'turn-not-open': 'The conversation has no turn that was opened with this key. Open it first.',
  'voice-session-not-found': 'The conversation has no voice session of this id.',
  'conversation-erased': 'Its content is gone, and its id is never used again.',
  'conversation-taken': 'A conversation of this id exists and was created with another body.',
  'external-id-taken': 'Another conversation has this external id.',
  'id-taken':
    'The conversation has a message of this id. Send an idempotency key to make a retry safe.',
  'idempotency-conflict':
    'The same key came with another body. A key names one turn for the life of the conversation.',
  'seats-too-many':
    'Complete some, or wait until their seats expire. The bound is the setting `voice.seatsMax`.',
  'audio-stale':
    'The hash is not that of the part as it is: its text was split or worded anew. Synthesise it again.',
  'held-audio-too-much':
    'Record the turns, or wait until it expires. The bound is the setting `voice.heldAudioMax`.',
  'voice-session-ended': 'It was ended already, and does not start again. Start another one.',
  'voice-session-taken': 'A voice session of this id was started with other metadata.',
  'cursor-ahead':
    'The conversation has not reached this cursor: it comes from another database, or from before a restore. Read again from the start.',
  'version-mismatch':
    '`If-Match` named a version that is not the current one. Read again, and decide again.',
  'database-unavailable':
    'Nothing was written. Try again after `Retry-After` seconds. Operators: check that the server runs and is reached at the address in `database.url`; `turnlog doctor` looks at each step.',
  'database-slow':
    'The statement was given up after `database.deadlineMs` and rolled back: nothing was written. Try again after `Retry-After` seconds. Operators: look for long statements and locks (`pg_stat_activity`), a disk that is busy, or too few connections (`database.connectionsMax`).',
  'database-full':
    'Nothing was written. Try again after `Retry-After` seconds. Operators: make room on the disk of the database (data, write-ahead log and temporary files), or enlarge it; writes go on by themselves.',
  'database-read-only':
    'It is a standby, or its server, its database or its role is set to read-only. Nothing was written; reads work. Try again after `Retry-After` seconds. Operators: point `database.url` at the primary, or reset `default_transaction_read_only`; writes go on by themselves.',
  'database-refused':
    'It was reached and answered an error: too little memory, too many connections, a statement that an operator cancelled, a missing right or table. Nothing was written. Try again after `Retry-After` seconds. Operators: the log of the service has the SQLSTATE and the words of the database under the `requestId`.',
  'outcome-unknown':
    'The answer of the database was lost or came too late: the write may have been carried out, or may yet be. With an idempotency key, send the same again with the same key: it is recorded once. Without one, read first whether it is there: sent again, it may be recorded twice.',
  'conversation-busy': 'Nothing was written. Try again after `Retry-After` seconds.',
  draining: 'Connect again: another node will answer.',
  overloaded: 'Nothing was written. Try again after `Retry-After` seconds.',
  internal: 'This is a fault of the service. Its log has the reason under the `requestId`.',
  'input-not-json':
    'JSON would leave it out or change it: a BigInt, NaN, a Map, a cycle, a `toJSON` that throws. Nothing was sent or kept. `errors` names the place.',
  'service-unreachable':
    'A read had no answer in time, or a write was never sent: nothing was written. The reason is in `cause`.',
  'answer-unusable':
    'What answered is no Turnlog, or something between changed the answer. Look at the URL.',
  'connection-refused':
    'The service closed the socket with a code from 4000 to 4099: it will not take this client as it is. The detail has the code and the reason.',
  'journal-full':
    'Too many turns wait for the service, or the disk of the journal has no room. Nothing was sent. Wait for some to be recorded, or give the journal more room.',
  'journal-failed':
    'The file of the journal could not be written. Nothing was sent. The reason of the operating system is in `cause`.',
}

/** When a retry is safe, where that differs from one request to the next: the answer says which. */
const retries: Readonly<Partial<Record<ProblemCode, string>>> = {
  'outcome-unknown':
    'A retry is safe only with an idempotency key, or where the request names what it writes by an id of its own: the answer says so in `retryable`.',
}

/** A row with its texts. */
export type ExplainedProblem = ProblemRow & {
  readonly title: string
  readonly help: string
  readonly retry: string | undefined
}

/** The whole table: each row with its texts. */
export const problems = Object.fromEntries(
  problemCodes.map((code) => [
    code,
    { ...problemRows[code], title: problemTitles[code], help: help[code], retry: retries[code] },
  ]),
) as Readonly<Record<ProblemCode, ExplainedProblem>>
