/**
 * The frames of a client in `turnlog.v1`, made of the same schemas as REST bodies. A frame is one
 * JSON object in a text message, and `t` names its type. docs/PROTOCOL.md has the rules.
 */
import Type, { type Static } from 'typebox'
import * as audio from '../../conversation/wire/audio-schemas.ts'
import * as wire from '../../conversation/wire/schemas.ts'
import { C, Cursor, closed, id, Key, partialCharactersMax, Role, tailMax } from './frame-fields.ts'
import { voiceClientFrames } from './voice-protocol.ts'

/** The schema of each client frame. A frame with an unknown field is refused. */
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
          description:
            'How many of the newest messages to send first. A `sub` has `cursor` or `tail`, never both.',
        }),
      ),
    },
    {
      ...closed,
      description:
        'Subscribe to a conversation: from a cursor, from its newest messages, or from now on.',
    },
  ),
  unsub: Type.Object(
    { t: Type.Literal('unsub'), id, c: C },
    { ...closed, description: 'End the subscription to a conversation.' },
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
        Type.String({
          format: 'uuid',
          description: 'The AI message. If absent, the latest AI message is meant.',
        }),
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
        'Attach TTS audio to an AI message, as `PUT /v1/conversations/{id}/messages/{mid}/tts` does: either `ttsAudioUrls`, or `part` and `ttsAudioUrl`. With `key`, the audio belongs to the answer of that turn and may arrive before it.',
    },
  ),
  partial: Type.Object(
    {
      t: Type.Literal('partial'),
      c: C,
      role: Role,
      text: Type.String({
        maxLength: partialCharactersMax,
        description: 'The whole text so far. An empty text withdraws it.',
      }),
    },
    {
      ...closed,
      description:
        'The interim text of one speaker, for example an STT result. It is not stored and has no answer.',
    },
  ),
  pong: Type.Object(
    { t: Type.Literal('pong') },
    { ...closed, description: 'The answer to a `ping`. Any other frame counts as an answer, too.' },
  ),
  auth: Type.Object(
    {
      t: Type.Literal('auth'),
      id,
      token: Type.String({ minLength: 1, maxLength: 8192, description: 'A bearer token.' }),
    },
    { ...closed, description: 'A new credential for the open socket.' },
  ),
  ...voiceClientFrames,
} as const satisfies Record<string, Type.TSchema>

export type ClientFrames = {
  [Name in keyof typeof clientFrames]: Static<(typeof clientFrames)[Name]>
}
export type ClientFrame = ClientFrames[keyof ClientFrames]
