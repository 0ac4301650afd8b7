/** The frames of the server in `turnlog.v1`. */
import Type, { type Static } from 'typebox'
import * as wire from '../../conversation/wire/schemas.ts'
import { C, Cursor, id, nullable, protocolName, Role, Version } from './frame-fields.ts'
import { voiceServerFrames } from './voice-protocol.ts'

const answered = { id, c: C, version: Version, cursor: Cursor }

/** The members of a problem as RFC 9457 defines them, and those that Turnlog adds. */
const problemFields = {
  type: Type.String({
    description: 'The path of the page that explains the code: `/problems/<code>`.',
  }),
  code: Type.String({ description: 'A stable code. `/problems` lists all of them.' }),
  title: Type.String({ description: 'The meaning of the code, in one sentence.' }),
  status: Type.Integer({ description: 'The HTTP status that REST answers with this code.' }),
  detail: Type.String({ description: 'The error in this frame, in one sentence.' }),
  errors: Type.Optional(
    Type.Array(
      Type.Object({
        in: Type.String({
          description: 'The part of the request with the error: `body` for a frame.',
        }),
        pointer: Type.String({ description: 'A JSON Pointer (RFC 6901) into the frame.' }),
        message: Type.String(),
      }),
    ),
  ),
  requestId: Type.Optional(
    Type.String({ description: "The id under which the service's log has this failure." }),
  ),
  retryable: Type.Boolean({
    description: 'Whether the same frame may succeed when it is sent again later.',
  }),
}

/** The schema of each server frame. Clients ignore fields and frames that they do not know. */
export const serverFrames = {
  welcome: Type.Object(
    {
      t: Type.Literal('welcome'),
      v: Type.Literal(protocolName, { description: 'The version of the protocol.' }),
      pingMs: Type.Integer({ description: 'Milliseconds between two pings, on average.' }),
      credit: Type.Object(
        {
          frames: Type.Integer({ description: 'How many frames may wait for their answers.' }),
          bytes: Type.Integer({
            description: 'How many bytes of frames may wait for their answers.',
          }),
        },
        { description: 'Bounds of the frames that are not answered yet.' },
      ),
      limits: Type.Object({
        frameBytes: Type.Integer({ description: 'The maximum size of one frame, in bytes.' }),
        subscriptions: Type.Integer({
          description: 'The maximum number of subscriptions of this socket.',
        }),
        framesPerSecond: Type.Integer({
          description:
            'How many frames a second this socket may send. A large or refused frame counts as several.',
        }),
      }),
    },
    { description: 'The first frame on every socket: its limits.' },
  ),
  subscribed: Type.Object(
    {
      t: Type.Literal('subscribed'),
      id,
      c: C,
      cursor: Cursor,
      recovered: Type.Boolean({
        description: 'Whether delivery continues at the cursor that the `sub` named.',
      }),
    },
    { description: 'The subscription has begun. The server delivers every change after `cursor`.' },
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
          description:
            'Present if this frame replaces everything the client has of the conversation. `from` is 0 then.',
        }),
      ),
      messages: wire.Change.properties.messages,
      segments: wire.Change.properties.segments,
      voiceSessions: wire.Change.properties.voiceSessions,
      conversation: wire.Change.properties.conversation,
    },
    {
      description:
        'All rows that changed after version `from`, up to `version`, in their present state.',
    },
  ),
  live: Type.Object(
    { t: Type.Literal('live'), c: C, version: Version },
    {
      description:
        'The subscription has caught up: every committed change has been sent, and later ones follow at once.',
    },
  ),
  recorded: Type.Object(
    {
      t: Type.Literal('recorded'),
      ...answered,
      humanMessageId: nullable(
        wire.Uuid,
        'The human message. Null if the turn has none, or if nothing was recorded.',
      ),
      assistantMessageId: nullable(wire.Uuid, 'The AI message. Null if the turn had no responses.'),
      replayed: Type.Boolean({ description: 'Whether this key had recorded the turn before.' }),
    },
    {
      description:
        'The turn is committed. A turn without responses is not recorded: both ids are null.',
    },
  ),
  attached: Type.Object(
    {
      t: Type.Literal('attached'),
      ...answered,
      messageId: nullable(
        wire.Uuid,
        'The message that has the audio now. Null if there was no URL to attach, or no message yet.',
      ),
      heldUntil: Type.Optional(wire.TimeOut),
    },
    { description: 'The audio is committed. With `heldUntil`, it waits until then for its turn.' },
  ),
  partial: Type.Object(
    {
      t: Type.Literal('partial'),
      c: C,
      role: Role,
      text: Type.String({ description: 'The whole text so far. Empty if it was withdrawn.' }),
    },
    { description: 'The interim text of one speaker. It replaces the one before.' },
  ),
  problem: Type.Object(
    { t: Type.Literal('problem'), id, c: Type.Optional(C), ...problemFields },
    { description: 'The service refused a frame or failed to serve it. The socket stays open.' },
  ),
  reset: Type.Object(
    {
      t: Type.Literal('reset'),
      id,
      c: C,
      reason: Type.String({
        description:
          'The cause: `cursor-ahead`, `conversation-erased` or `conversation-not-found`.',
      }),
    },
    {
      description:
        'The server ended the subscription. Drop all you have of the conversation. Read again if `reason` is `cursor-ahead`.',
    },
  ),
  unsubscribed: Type.Object(
    { t: Type.Literal('unsubscribed'), id, c: C },
    { description: 'The subscription has ended, as the client asked. No frame of it follows.' },
  ),
  authenticated: Type.Object(
    {
      t: Type.Literal('authenticated'),
      id,
      until: nullable(wire.TimeOut, 'When the credential expires. Null: it does not.'),
    },
    { description: 'The service accepted the credential.' },
  ),
  ping: Type.Object(
    {
      t: Type.Literal('ping'),
      heads: Type.Record(Type.String(), Type.Integer(), {
        description:
          'The version sent last of each conversation, if it changed since the last ping.',
      }),
    },
    {
      description:
        'The server checks that the client is alive. A version above yours means that you missed a change: `sub` again.',
    },
  ),
  bye: Type.Object(
    {
      t: Type.Literal('bye'),
      code: Type.Integer({ description: 'The close code of the close frame that follows.' }),
      reason: Type.String({ description: 'The name of the close code.' }),
      retryMs: Type.Optional(
        Type.Array(Type.Integer(), {
          minItems: 2,
          maxItems: 2,
          description:
            'The lower and the upper bound, in milliseconds, of the random time to wait before reconnecting.',
        }),
      ),
    },
    { description: 'The server is about to close the socket.' },
  ),
  ...voiceServerFrames,
} as const satisfies Record<string, Type.TSchema>

export type ServerFrames = {
  [Name in keyof typeof serverFrames]: Static<(typeof serverFrames)[Name]>
}
export type ServerFrame = ServerFrames[keyof ServerFrames]
