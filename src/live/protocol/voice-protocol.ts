/** The frames of speech: turns whose words come later, what was heard, voice sessions. */
import Type from 'typebox'
import { AttachByKey } from '../../conversation/wire/audio-schemas.ts'
import {
  Cursor,
  closed,
  NewHeard,
  SessionId,
  TimeIn,
  Uuid,
  Version,
} from '../../conversation/wire/part-schemas.ts'
import {
  CompletedTurn,
  NewVoiceSession,
  TurnHalves,
} from '../../conversation/wire/voice-schemas.ts'

const id = Type.Optional(
  Type.String({ minLength: 1, maxLength: 128, description: 'Pairs an answer with its frame.' }),
)
const c = Type.String({ format: 'uuid', description: 'The conversation.' })
const { key } = AttachByKey.properties
const { user, assistant, segment } = TurnHalves.properties

export const voiceClientFrames = {
  'turn.open': Type.Object(
    { t: Type.Literal('turn.open'), id, c, key, at: Type.Optional(TimeIn) },
    { ...closed, description: 'Give a turn its place before there are words for it.' },
  ),
  'turn.complete': Type.Object(
    { t: Type.Literal('turn.complete'), id, c, key, user, assistant, segment },
    { ...closed, description: 'The words of an opened turn: one half, or both.' },
  ),
  interrupt: Type.Object(
    {
      t: Type.Literal('interrupt'),
      id,
      c,
      messageId: Type.String({ format: 'uuid' }),
      heard: NewHeard,
      at: Type.Optional(TimeIn),
    },
    { ...closed, description: 'What the listener heard of an AI message.' },
  ),
  'voice.start': Type.Object(
    {
      t: Type.Literal('voice.start'),
      id,
      c,
      sessionId: Type.Optional(SessionId),
      metadata: NewVoiceSession.properties.metadata,
    },
    {
      ...closed,
      description:
        'Speak in a voice session, and start it if there is none: it ends by itself some time after the last socket that did so is gone.',
    },
  ),
  'voice.end': Type.Object(
    { t: Type.Literal('voice.end'), id, c, sessionId: SessionId },
    { ...closed, description: 'End a voice session.' },
  ),
} as const satisfies Record<string, Type.TSchema>

const answered = { id, c, version: Version, cursor: Cursor }
const ofSession = { ...answered, sessionId: SessionId }

export const voiceServerFrames = {
  'turn.opened': Type.Object(
    {
      t: Type.Literal('turn.opened'),
      ...answered,
      humanMessageId: Uuid,
      seq: Type.Integer({ description: 'Its place in the order.' }),
      replayed: Type.Boolean({ description: 'Whether the key had opened it before.' }),
    },
    { description: 'The seat is committed.' },
  ),
  'turn.completed': Type.Object(
    {
      t: Type.Literal('turn.completed'),
      ...answered,
      humanMessageId: Type.Union([Uuid, Type.Null()], {
        description: 'Null where nothing was said.',
      }),
      assistantMessageId: CompletedTurn.properties.assistantMessageId,
      replayed: Type.Boolean({ description: 'Whether all of it was there before.' }),
    },
    { description: 'What was sent of the turn is committed.' },
  ),
  interrupted: Type.Object(
    { t: Type.Literal('interrupted'), ...answered, messageId: Uuid },
    { description: 'The report is committed, or an earlier one stands.' },
  ),
  'voice.started': Type.Object(
    { t: Type.Literal('voice.started'), ...ofSession },
    { description: 'The session goes on as long as this socket.' },
  ),
  'voice.ended': Type.Object(
    { t: Type.Literal('voice.ended'), ...ofSession },
    { description: 'The session has ended.' },
  ),
} as const satisfies Record<string, Type.TSchema>
