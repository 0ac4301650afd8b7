/**
 * The frames of `turnlog.v1`: what travels on the socket, made of the same schemas as REST. One JSON
 * object a text message; `t` says what it is. docs/PROTOCOL.md has the rules.
 */
import Type, { type Static } from 'typebox'
import * as audio from '../../conversation/wire/audio-schemas.ts'
import * as wire from '../../conversation/wire/schemas.ts'
import { C, Cursor, closed, id, Key, partialCharactersMax, Role, tailMax } from './frame-fields.ts'
import { voiceClientFrames } from './voice-protocol.ts'

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
