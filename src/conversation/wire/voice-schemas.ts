/**
 * Schemas of requests and answers about speech: seats and their words, interruptions, voice
 * sessions.
 */
import Type, { type Static } from 'typebox'
import {
  Cursor,
  closed,
  Metadata,
  NewHeard,
  NextPage,
  Nullable,
  SessionId,
  TimeIn,
  Uuid,
  Version,
  VoiceSession,
} from './part-schemas.ts'
import { Message, NewAssistant, NewUser, TurnSegment } from './schemas.ts'

// Seats

export const OpenTurn = Type.Object(
  { at: Type.Optional(TimeIn) },
  {
    ...closed,
    description: 'Opens a turn before its words are known. `at` is when the human began to speak.',
  },
)
export type OpenTurn = Static<typeof OpenTurn>

export const OpenedTurn = Type.Object({
  humanMessageId: Uuid,
  seq: Type.Integer({ minimum: 1, description: 'The `seq` of the seat.' }),
  version: Type.Integer({
    minimum: 1,
    description: 'Version of the conversation that added the seat.',
  }),
  cursor: Cursor,
  message: Message,
  replayed: Type.Boolean({
    description: 'Whether an earlier request with the same key had opened the turn.',
  }),
})
export type OpenedTurn = Static<typeof OpenedTurn>

export const TurnHalves = Type.Object(
  {
    user: Type.Optional(Type.Omit(NewUser, ['id'], closed)),
    assistant: Type.Optional(NewAssistant),
    segment: Type.Optional(TurnSegment),
  },
  { ...closed, description: 'The human half of an opened turn, its AI half, or both.' },
)
export type TurnHalves = Static<typeof TurnHalves>

export const CompletedTurn = Type.Object({
  humanMessageId: Uuid,
  assistantMessageId: Nullable(Uuid, 'Null until the AI half is recorded.'),
  version: Type.Integer({
    minimum: 1,
    description: 'Version of the conversation that recorded these halves.',
  }),
  cursor: Cursor,
  messages: Type.Array(Message),
  replayed: Type.Boolean({ description: 'Whether all sent halves had been recorded before.' }),
})
export type CompletedTurn = Static<typeof CompletedTurn>

// Interruptions

/** The heard part in a report, or null to take the report back. */
export const NullableHeard = Nullable(
  NewHeard,
  'How much of the AI message the listener heard. Null takes the report back.',
)

/** Whether a report changed its message. */
export const ReportChanged = Type.Boolean({
  description:
    'Whether this report changed the message. False: a later report or the same one is stored.',
})

export const Interruption = Type.Object(
  { heard: NullableHeard, at: Type.Optional(TimeIn) },
  {
    ...closed,
    description:
      'Reports how much of an AI message the listener heard before an interruption (barge-in). `heard: null` takes the report back. `at` is the time of the report. An earlier report than the stored one changes nothing.',
  },
)
export type Interruption = Static<typeof Interruption>

export const InterruptedMessage = Type.Object({
  messageId: Uuid,
  version: Version,
  cursor: Cursor,
  message: Message,
  changed: ReportChanged,
})
export type InterruptedMessage = Static<typeof InterruptedMessage>

// Sessions

export const NewVoiceSession = Type.Object(
  {
    id: Type.Optional(SessionId),
    metadata: Type.Optional(Metadata),
  },
  closed,
)
export type NewVoiceSession = Static<typeof NewVoiceSession>

export const VoiceSessionFigures = Type.Object({
  turns: Type.Integer({ minimum: 0, description: 'Number of human messages with words.' }),
  audioSeconds: Type.Integer({ minimum: 0, description: 'Seconds of human speech.' }),
  interruptions: Type.Integer({
    minimum: 0,
    description: 'Number of answers that were interrupted.',
  }),
  responseMilliseconds: Nullable(
    Type.Number({ minimum: 0 }),
    'Median time from the end of human speech to the first audio of the answer. Null: no turn has both times.',
  ),
})
export type VoiceSessionFigures = Static<typeof VoiceSessionFigures>

export const VoiceSessionReport = Type.Object({
  ...VoiceSession.properties,
  figures: VoiceSessionFigures,
})
export type VoiceSessionReport = Static<typeof VoiceSessionReport>

export const VoiceSessionList = Type.Object({
  voiceSessions: Type.Array(VoiceSession),
  nextPage: NextPage,
  version: Version,
  cursor: Cursor,
})
export type VoiceSessionList = Static<typeof VoiceSessionList>
