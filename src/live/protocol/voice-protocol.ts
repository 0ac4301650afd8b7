/**
 * The frames of voice agents: turns whose words arrive later, interruptions (barge-in), voice
 * sessions.
 */
import Type from 'typebox'
import {
  Cursor,
  closed,
  SessionId,
  TimeIn,
  Uuid,
  Version,
} from '../../conversation/wire/part-schemas.ts'
import {
  CompletedTurn,
  NewVoiceSession,
  NullableHeard,
  ReportChanged,
  TurnHalves,
} from '../../conversation/wire/voice-schemas.ts'
import { C, id, Key } from './frame-fields.ts'

const c = C
const key = Key
const { user, assistant, segment } = TurnHalves.properties

export const voiceClientFrames = {
  'turn.open': Type.Object(
    { t: Type.Literal('turn.open'), id, c, key, at: Type.Optional(TimeIn) },
    {
      ...closed,
      description:
        'Reserve the `seq` of a human message when speech begins, before its words exist.',
    },
  ),
  'turn.complete': Type.Object(
    { t: Type.Literal('turn.complete'), id, c, key, user, assistant, segment },
    {
      ...closed,
      description: 'Add the words of an opened turn: the human message, the AI message, or both.',
    },
  ),
  interrupt: Type.Object(
    {
      t: Type.Literal('interrupt'),
      id,
      c,
      messageId: Type.String({ format: 'uuid' }),
      heard: NullableHeard,
      at: Type.Optional(TimeIn),
    },
    {
      ...closed,
      description:
        'Report how much of an AI message the listener heard before they interrupted it (barge-in).',
    },
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
        'Join a voice session, and start it if it does not exist. It ends `voice.sessionGraceSeconds` after the last socket in it has closed.',
    },
  ),
  'voice.end': Type.Object(
    { t: Type.Literal('voice.end'), id, c, sessionId: SessionId },
    { ...closed, description: 'End a voice session now.' },
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
      seq: Type.Integer({ description: 'The number of the human message in the conversation.' }),
      replayed: Type.Boolean({ description: 'Whether this key had opened the turn before.' }),
    },
    { description: 'The seat of the human message is committed.' },
  ),
  'turn.completed': Type.Object(
    {
      t: Type.Literal('turn.completed'),
      ...answered,
      humanMessageId: Type.Union([Uuid, Type.Null()], {
        description: 'The human message. Null if nothing was recorded.',
      }),
      assistantMessageId: CompletedTurn.properties.assistantMessageId,
      replayed: Type.Boolean({
        description: 'Whether everything in the frame had been recorded before.',
      }),
    },
    { description: 'The words that the frame brought are committed.' },
  ),
  interrupted: Type.Object(
    { t: Type.Literal('interrupted'), ...answered, messageId: Uuid, changed: ReportChanged },
    {
      description:
        'The report is committed, unless a later one or the same one is stored: then nothing changed.',
    },
  ),
  'voice.started': Type.Object(
    { t: Type.Literal('voice.started'), ...ofSession },
    { description: 'This socket keeps the voice session open until it closes.' },
  ),
  'voice.ended': Type.Object(
    { t: Type.Literal('voice.ended'), ...ofSession },
    { description: 'The voice session has ended.' },
  ),
} as const satisfies Record<string, Type.TSchema>
