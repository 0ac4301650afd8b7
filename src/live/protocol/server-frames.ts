/** The frames that the server sends. */
import Type, { type Static } from 'typebox'
import * as wire from '../../conversation/wire/schemas.ts'
import { C, Cursor, id, nullable, protocolName, Role, Version } from './frame-fields.ts'
import { voiceServerFrames } from './voice-protocol.ts'

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
