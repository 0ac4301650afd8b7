/**
 * The frames of `turnlog.v1`: what travels on the socket, made of the same schemas as REST. One JSON
 * object a text message; `t` says what it is. docs/PROTOCOL.md has the rules.
 */
import Type, { type Static } from 'typebox'
import * as audio from '../../conversation/wire/audio-schemas.ts'
import * as wire from '../../conversation/wire/schemas.ts'
import { voiceClientFrames, voiceServerFrames } from './voice-protocol.ts'

/** Also the WebSocket subprotocol. A change that old clients cannot live with takes another one. */
export const protocolName = 'turnlog.v1'

const closed = { additionalProperties: false } as const

const { cursor: Cursor, version: Version } = wire.Change.properties

const C = Type.String({ format: 'uuid', description: 'The conversation.' })

const FrameId = Type.String({
  minLength: 1,
  maxLength: 128,
  description: 'Pairs an answer with its frame, and means nothing else.',
})

export const keyPattern = '^[\\x21-\\x7e]{1,255}$'

const Key = Type.String({
  pattern: keyPattern,
  description:
    "The idempotency key: names the turn for the conversation's life. 1 to 255 visible ASCII characters.",
})

const Role = Type.Union([Type.Literal('human'), Type.Literal('ai')])

const id = Type.Optional(FrameId)
const nullable = <T extends Type.TSchema>(schema: T, description: string) =>
  Type.Union([schema, Type.Null()], { description })

/** Most newest messages that a subscription may begin with. */
export const tailMax = 200

/** Most characters of an interim text. */
export const partialCharactersMax = 16_384

/** What clients send. Unknown fields are refused. */
export const clientFrames = {
  sub: Type.Object(
    {
      t: Type.Literal('sub'),
      id,
      c: C,
      cursor: Type.Optional(Cursor),
      tail: Type.Optional(
        Type.Integer({
          minimum: 0,
          maximum: tailMax,
          description: 'Begin with the newest so many messages. Not beside `cursor`.',
        }),
      ),
    },
    { ...closed, description: 'Follow a conversation: from a cursor, from its tail, or from now.' },
  ),
  unsub: Type.Object(
    { t: Type.Literal('unsub'), id, c: C },
    { ...closed, description: 'Follow it no more.' },
  ),
  record: Type.Object(
    { t: Type.Literal('record'), id, key: Type.Optional(Key), c: C, turn: wire.NewTurn },
    { ...closed, description: 'Record a turn, as `POST /v1/conversations/{id}/turns` does.' },
  ),
  attach: Type.Object(
    {
      t: Type.Literal('attach'),
      id,
      c: C,
      messageId: Type.Optional(
        Type.String({ format: 'uuid', description: 'Absent: the latest AI message.' }),
      ),
      ttsAudioUrls: Type.Optional(audio.AttachAll.properties.ttsAudioUrls),
      part: Type.Optional(audio.AttachPart.properties.part),
      ttsAudioUrl: Type.Optional(audio.AttachPart.properties.ttsAudioUrl),
      key: Type.Optional(audio.AttachByKey.properties.key),
      textHash: audio.AttachPart.properties.textHash,
      segmentId: audio.AttachAll.properties.segmentId,
      updateSegment: audio.AttachAll.properties.updateSegment,
    },
    {
      ...closed,
      description:
        'Attach audio to an AI message: `ttsAudioUrls`, or `part` and `ttsAudioUrl`, as the PUT does. With `key`, to the answer of that turn, also before there is one.',
    },
  ),
  partial: Type.Object(
    {
      t: Type.Literal('partial'),
      c: C,
      role: Role,
      text: Type.String({
        maxLength: partialCharactersMax,
        description: 'All of the text so far; empty takes it back.',
      }),
    },
    { ...closed, description: 'An interim text. Not durable, and not answered.' },
  ),
  pong: Type.Object(
    { t: Type.Literal('pong') },
    { ...closed, description: 'The answer to a ping. Any other frame does as well.' },
  ),
  auth: Type.Object(
    { t: Type.Literal('auth'), id, token: Type.String({ minLength: 1, maxLength: 8192 }) },
    { ...closed, description: 'A fresh credential for the socket that is open.' },
  ),
  ...voiceClientFrames,
} as const satisfies Record<string, Type.TSchema>

export type ClientFrames = {
  [Name in keyof typeof clientFrames]: Static<(typeof clientFrames)[Name]>
}
export type ClientFrame = ClientFrames[keyof ClientFrames]

const answered = { id, c: C, version: Version, cursor: Cursor }

/** Those of RFC 9457, beside what they answer. */
const problemFields = {
  type: Type.String({ description: 'The page that explains the code: `/problems/<code>`.' }),
  code: Type.String({ description: 'One of those at `/problems`.' }),
  title: Type.String(),
  status: Type.Integer({ description: 'What the HTTP status would be.' }),
  detail: Type.String(),
  errors: Type.Optional(
    Type.Array(
      Type.Object({
        in: Type.String(),
        pointer: Type.String({ description: 'A JSON Pointer (RFC 6901) into the frame.' }),
        message: Type.String(),
      }),
    ),
  ),
  requestId: Type.Optional(Type.String({ description: "The service's log has it, too." })),
  retryable: Type.Boolean({ description: 'Whether the very same frame can succeed later.' }),
}

/** What the server sends. Clients ignore fields and frames that they do not know. */
export const serverFrames = {
  welcome: Type.Object(
    {
      t: Type.Literal('welcome'),
      v: Type.Literal(protocolName),
      pingMs: Type.Integer({ description: 'A ping comes about as often, in milliseconds.' }),
      credit: Type.Object({
        frames: Type.Integer({ description: 'Most frames that wait for their answer.' }),
        bytes: Type.Integer({ description: 'Most bytes of frames that wait for their answer.' }),
      }),
      limits: Type.Object({
        frameBytes: Type.Integer({ description: 'Most bytes of one frame.' }),
        subscriptions: Type.Integer({ description: 'Most conversations followed at a time.' }),
        framesPerSecond: Type.Integer({
          description: 'Most frames a second, by their weight; a second of them may come at once.',
        }),
      }),
    },
    { description: 'The first frame of every socket.' },
  ),
  subscribed: Type.Object(
    {
      t: Type.Literal('subscribed'),
      id,
      c: C,
      cursor: Cursor,
      recovered: Type.Boolean({ description: 'Whether delivery goes on at the cursor given.' }),
    },
    { description: 'Where delivery starts: after `cursor`.' },
  ),
  change: Type.Object(
    {
      t: Type.Literal('change'),
      c: C,
      from: Version,
      version: Version,
      cursor: Cursor,
      snapshot: Type.Optional(
        Type.Literal(true, {
          description: 'Drop what you hold of the conversation, and take this. `from` is 0.',
        }),
      ),
      messages: wire.Change.properties.messages,
      segments: wire.Change.properties.segments,
      voiceSessions: wire.Change.properties.voiceSessions,
      conversation: wire.Change.properties.conversation,
    },
    { description: 'Every row that was touched after `from`, up to `version`.' },
  ),
  live: Type.Object(
    { t: Type.Literal('live'), c: C, version: Version },
    { description: 'All that is committed has been sent; what follows comes as it happens.' },
  ),
  recorded: Type.Object(
    {
      t: Type.Literal('recorded'),
      ...answered,
      humanMessageId: nullable(wire.Uuid, 'Null for an AI-only turn, and where nothing was said.'),
      assistantMessageId: nullable(wire.Uuid, 'Null where there were no responses.'),
      replayed: Type.Boolean({ description: 'Whether the key had recorded it before.' }),
    },
    { description: 'The turn is committed. Without responses nothing is, and the ids are null.' },
  ),
  attached: Type.Object(
    {
      t: Type.Literal('attached'),
      ...answered,
      messageId: nullable(wire.Uuid, 'Null where there was nothing to attach, or nothing to it.'),
      heldUntil: Type.Optional(wire.TimeOut),
    },
    { description: 'The audio is committed. `heldUntil`: it waits so long for its turn.' },
  ),
  partial: Type.Object(
    { t: Type.Literal('partial'), c: C, role: Role, text: Type.String() },
    { description: 'An interim text, in place of the one before; empty when it is taken back.' },
  ),
  problem: Type.Object(
    { t: Type.Literal('problem'), id, c: Type.Optional(C), ...problemFields },
    { description: 'What was asked was not done. The socket stays open.' },
  ),
  reset: Type.Object(
    {
      t: Type.Literal('reset'),
      id,
      c: C,
      reason: Type.String({
        description: '`cursor-ahead`, `conversation-erased` or `conversation-not-found`.',
      }),
    },
    { description: 'The subscription has ended. Drop what you hold, and read again if you may.' },
  ),
  unsubscribed: Type.Object(
    { t: Type.Literal('unsubscribed'), id, c: C },
    { description: 'Nothing more of it follows.' },
  ),
  authenticated: Type.Object(
    {
      t: Type.Literal('authenticated'),
      id,
      until: nullable(wire.TimeOut, 'When it ends; null for never.'),
    },
    { description: 'The credential was taken.' },
  ),
  ping: Type.Object(
    {
      t: Type.Literal('ping'),
      heads: Type.Record(Type.String(), Type.Integer(), {
        description:
          'By conversation, the version sent last, where it changed since the last ping.',
      }),
    },
    { description: 'Whether you are there. A higher version than yours is a gap: `sub` again.' },
  ),
  bye: Type.Object(
    {
      t: Type.Literal('bye'),
      code: Type.Integer({ description: 'The close code that follows.' }),
      reason: Type.String(),
      retryMs: Type.Optional(
        Type.Array(Type.Integer(), {
          minItems: 2,
          maxItems: 2,
          description: 'Come back after a random time between these, in milliseconds.',
        }),
      ),
    },
    { description: 'The socket closes.' },
  ),
  ...voiceServerFrames,
} as const satisfies Record<string, Type.TSchema>

export type ServerFrames = {
  [Name in keyof typeof serverFrames]: Static<(typeof serverFrames)[Name]>
}
export type ServerFrame = ServerFrames[keyof ServerFrames]
