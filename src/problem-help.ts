/** Help for each code, shown on its page: first what to do now, then the cause. */
import { type ProblemCode, type ProblemRow, problemCodes, problemRows } from './problem-codes.ts'
import { problemTitles } from './problem-titles.ts'

const help: Readonly<Record<ProblemCode, string>> = {
  'body-not-json':
    'Send one JSON value in UTF-8 as the body. The detail says where reading stopped.',
  'body-too-large':
    'Send less in one request. The detail names the maximum in bytes and the setting that it comes from. A body may also hold at most 65,536 values, 16,384 of them with a name.',
  'media-type-unsupported':
    'Send the body with the header `Content-Type: application/json` and without a content encoding.',
  'frame-invalid':
    'Send each frame as one JSON object in a text message, with its type in the field `t`. The detail says what is wrong.',
  'frame-too-large':
    'Send frames of at most `welcome.limits.frameBytes` bytes. A frame of more than four times that closes the socket. A frame may also hold at most 65,536 values, 16,384 of them with a name.',
  'protocol-unsupported':
    'Offer `turnlog.v1` in `Sec-WebSocket-Protocol`, or leave the header out.',
  'host-invalid': 'Send exactly one `Host` header: a name or an address, optionally with a port.',
  'host-refused':
    'Use `localhost` or `127.0.0.1` if the service listens on loopback; otherwise add the host name to the setting `server.allowedHosts`. The service does not authenticate callers, so it answers only under names that it knows: a web page that points its own name at this machine (DNS rebinding) could read and erase everything.',
  'origin-refused':
    'If the page is yours, add its origin to the setting `server.allowedOrigins`. A web page may write and connect only from the host and port of the service itself, from an origin in that setting, or from localhost if the service listens on loopback.',
  'upgrade-required': 'Connect to this path with a WebSocket client, by `ws://` or `wss://`.',
  'request-invalid':
    'Correct the request: each entry of `errors` names one field and the rule that it breaks.',
  'field-invalid':
    'Correct the field that `errors` names. The OpenAPI document at `/swagger/json` describes every field.',
  'field-missing':
    'Add the field that `errors` names. The OpenAPI document at `/swagger/json` describes every body.',
  'field-unknown':
    'Remove or correct the field or query parameter that `errors` names. Unknown names are refused, so that a misspelt one is not ignored silently.',
  'frame-unknown':
    'Send a frame of a known type. The AsyncAPI document at `/asyncapi.json` describes every frame.',
  'subscriptions-too-many':
    'End a subscription with `unsub`, or open another socket. One socket may follow `welcome.limits.subscriptions` conversations.',
  'id-invalid':
    'Send the id as a UUID in its usual text form. Conversations, messages and segments have UUIDs as ids.',
  'time-invalid':
    'Send the time in RFC 3339 form, for example `2026-11-23T09:30:00.123456Z`, in the years 0001 to 9999. An offset may be `+02:00`, `+0200` or `+02`; without one, the time is UTC. A leap second (`:60`) is stored as the last microsecond before the next minute.',
  'time-ahead':
    'Correct the clock of the caller, or leave the time out. The service refuses such a time, because one wrong clock would keep `lastMessageAt` in the future.',
  'text-invalid':
    'Remove NUL (U+0000) and lone surrogates from the text. They are refused in values and in the names of fields.',
  'url-invalid': 'Send each audio URL as an absolute http or https URL.',
  'limit-invalid':
    'Send a limit within the range that the detail names. Its upper bound is a setting.',
  'parts-too-many':
    'Send fewer parts. Parts are counted after `[SPLIT]` has been split. The detail names the maximum and its setting.',
  'urls-too-many': 'Send fewer URLs. The detail names the maximum and its setting.',
  'json-too-large':
    'Send a smaller or flatter value. `metadata` and `memoryRetrievalTrace` have a maximum size in bytes and a maximum depth; the detail names them.',
  'number-inexact':
    'Send the number as a text. In `metadata` and `memoryRetrievalTrace`, the service refuses a number that it could only store rounded: an integer that a double does not hold digit for digit (such as 9007199254740993), or a number outside the range of a double (1e400). A number with a fraction or an exponent is read as the nearest double.',
  'idempotency-key-invalid': 'Send a key of 1 to 255 visible ASCII characters, without spaces.',
  'cursor-invalid':
    'Send the cursor unchanged, as an earlier answer for the same conversation contained it.',
  'page-invalid': 'Send `nextPage` unchanged, as the previous page of the same list contained it.',
  'history-too-long':
    'Read the newest messages with `last`, or all of them page by page from `/messages`.',
  'segment-without-user':
    'Leave out `segment.agentResponse`: the turn, which has only an AI message, then belongs to the segment without completing it.',
  'heard-out-of-range':
    'Report at most what the message contains. The detail says how many parts and characters (Unicode code points, without `[SPLIT]`) it has.',
  'message-not-ai':
    'Name the AI message of the turn. Only AI messages have audio and a heard part.',
  'part-out-of-range':
    'Name a part that exists. Parts count from 0; the detail says how many the message has.',
  'route-not-found': 'Correct the path. `/swagger` lists every route.',
  'method-not-allowed': 'Use one of the methods that the `Allow` header names.',
  'conversation-not-found':
    'Check the id, or create the conversation first with `POST /v1/conversations`.',
  'message-not-found': 'Check the id: the conversation exists, but has no message with it.',
  'segment-not-found':
    'Check the id, or create the segment first with `POST .../segments`. The conversation has no segment with this id.',
  'turn-not-open':
    'Open the turn first with `POST .../turns/open` and the same key. The conversation has no turn that was opened with it.',
  'voice-session-not-found':
    'Check the id, or start the voice session first. The conversation has no voice session with this id.',
  'conversation-erased':
    'Use another conversation. The content of this one was deleted, and its id is never used again.',
  'conversation-taken':
    'Choose another id, or send the body that created the conversation. A conversation with this id exists and was created with another body.',
  'external-id-taken':
    'Choose another external id, or use the conversation that has it: `GET /v1/conversations?externalId=` finds it.',
  'id-taken':
    'Leave the id out, or choose another one: the conversation has a message with this id. Send an idempotency key to make retries safe.',
  'idempotency-conflict':
    'Send a new key for a new turn. This key was used before with another body, and a key names one turn for the life of the conversation.',
  'seats-too-many':
    'Complete some of the open turns, or wait until their seats expire. The maximum is the setting `voice.seatsMax`.',
  'audio-stale':
    'Synthesise the part again from its present text. The hash does not match it: the text was changed, or split into other parts.',
  'held-audio-too-much':
    'Record the turns that the audio belongs to, or wait until the audio expires. The maximum is the setting `voice.heldAudioMax`.',
  'voice-session-ended':
    'Start another voice session. This one has ended and cannot be started again.',
  'voice-session-taken':
    'Choose another id, or send the same metadata. A voice session with this id was started with other metadata.',
  'cursor-ahead':
    'Read again from the start, without the cursor. The conversation has not reached it: the cursor comes from another database, or from before a restore.',
  'version-mismatch':
    'Read the conversation again, then decide whether to send the change with its new version. It has changed since the version that `If-Match` names.',
  'database-unavailable':
    'Send the request again after `Retry-After` seconds: nothing was written. Operators: check that the server runs and can be reached at the address in `database.url`; `turnlog doctor` checks each step.',
  'database-slow':
    'Send the request again after `Retry-After` seconds: nothing was written. The service gave the statement up after `database.deadlineMs`, and the database rolled it back. Operators: look for long statements and locks (`pg_stat_activity`), a busy disk, or too few connections (`database.connectionsMax`).',
  'database-full':
    'Send the request again after `Retry-After` seconds: nothing was written. Operators: make room on the disk of the database (data, write-ahead log and temporary files), or enlarge it. Writes then continue without a restart.',
  'database-read-only':
    'Send the request again after `Retry-After` seconds: nothing was written, and reads still work. The database is a standby, or its server, database or role is set to read-only. Operators: point `database.url` at the primary, or reset `default_transaction_read_only`. Writes then continue without a restart.',
  'database-refused':
    'Send the request again after `Retry-After` seconds: nothing was written. The database answered an error: too little memory, too many connections, a statement that an operator cancelled, a missing right or table. Operators: the log of the service has the SQLSTATE and the message of the database under the `requestId`.',
  'outcome-unknown':
    'With an idempotency key, send the same request again with the same key: it is recorded once. Without a key, first read whether the write is stored: sending it again may record it twice. The answer of the database was lost or arrived too late, so the write may be stored, or may be stored later.',
  'conversation-busy':
    'Send the request again after `Retry-After` seconds: nothing was written, because other writers locked the conversation.',
  draining: 'Connect again: a load balancer then chooses another node.',
  overloaded:
    'Send the request again after `Retry-After` seconds: nothing was written, because too many writes are waiting.',
  internal:
    'Report this: it is a fault of the service. Its log has the reason under the `requestId`.',
  'input-not-json':
    'Correct the value that `errors` names. JSON would leave it out or change it: a BigInt, NaN, a Map, a cycle, a `toJSON` that throws. Nothing was sent or stored.',
  'service-unreachable':
    'Check the URL and the network, then try again. A read got no answer in time, or a write was never sent: nothing was written. `cause` has the reason.',
  'answer-unusable':
    'Check the URL of the client. The answer came from another program, or a proxy changed it.',
  'connection-refused':
    'Correct the client, then connect again. The service closed the socket with a code from 4000 to 4099, because it does not accept this client as it is. The detail has the code and the reason.',
  'journal-full':
    'Wait until the service has recorded some turns, or give the journal more room. Too many turns wait for the service, or the disk of the journal is full. Nothing was sent.',
  'journal-failed':
    'Check the file of the journal: it could not be written. Nothing was sent. `cause` has the error of the operating system.',
}

/** When a retry is safe, for codes whose `retryable` depends on the request. */
const retries: Readonly<Partial<Record<ProblemCode, string>>> = {
  'outcome-unknown':
    'A retry is safe only if the request has an idempotency key, or names what it writes by an id of its own. The answer has `retryable: true` then.',
}

/** A row of the table with its title and help. */
export type ExplainedProblem = ProblemRow & {
  readonly title: string
  readonly help: string
  readonly retry: string | undefined
}

/** The whole table: each code with its row, title and help. */
export const problems = Object.fromEntries(
  problemCodes.map((code) => [
    code,
    { ...problemRows[code], title: problemTitles[code], help: help[code], retry: retries[code] },
  ]),
) as Readonly<Record<ProblemCode, ExplainedProblem>>
