/** What travels about speech: seats and their words, what was heard, voice sessions. */
import Type, { type Static } from 'typebox'
import {
  Cursor,
  closed,
  JsonObject,
  NewHeard,
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
  { ...closed, description: '`at`: when the human began to speak.' },
)
export type OpenTurn = Static<typeof OpenTurn>

export const OpenedTurn = Type.Object({
  humanMessageId: Uuid,
  seq: Type.Integer({ minimum: 1, description: 'Its place in the order.' }),
  version: Type.Integer({ minimum: 1, description: 'The version the seat took.' }),
  cursor: Cursor,
  message: Message,
  replayed: Type.Boolean({ description: 'Whether the key had opened it before.' }),
})
export type OpenedTurn = Static<typeof OpenedTurn>

export const TurnHalves = Type.Object(
  {
    user: Type.Optional(Type.Omit(NewUser, ['id'], closed)),
    assistant: Type.Optional(NewAssistant),
    segment: Type.Optional(TurnSegment),
  },
  { ...closed, description: 'The words of an opened turn: one half, or both.' },
)
export type TurnHalves = Static<typeof TurnHalves>

export const CompletedTurn = Type.Object({
  humanMessageId: Uuid,
  assistantMessageId: Nullable(Uuid, 'Null while the AI half has not come.'),
  version: Type.Integer({ minimum: 1, description: 'The version that took what was sent.' }),
  cursor: Cursor,
  messages: Type.Array(Message),
  replayed: Type.Boolean({ description: 'Whether all that was sent was there before.' }),
})
export type CompletedTurn = Static<typeof CompletedTurn>

// What was heard

export const Interruption = Type.Object(
  { heard: NewHeard, at: Type.Optional(TimeIn) },
  { ...closed, description: 'A report that is not later than the one before changes nothing.' },
)
export type Interruption = Static<typeof Interruption>

export const InterruptedMessage = Type.Object({
  messageId: Uuid,
  version: Version,
  cursor: Cursor,
  message: Message,
})
export type InterruptedMessage = Static<typeof InterruptedMessage>

// Sessions

export const NewVoiceSession = Type.Object(
  { id: Type.Optional(SessionId), metadata: Type.Optional(JsonObject('Yours, kept as it is.')) },
  closed,
)
export type NewVoiceSession = Static<typeof NewVoiceSession>

export const VoiceSessionFigures = Type.Object({
  turns: Type.Integer({ minimum: 0, description: 'Human messages with their words.' }),
  audioSeconds: Type.Integer({ minimum: 0, description: 'Of human speech.' }),
  interruptions: Type.Integer({ minimum: 0, description: 'Answers that were cut off.' }),
  responseMilliseconds: Nullable(
    Type.Number({ minimum: 0 }),
    "The median from the human's end of speech to the AI's first sound; null: no times were given.",
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
  nextPage: Nullable(Type.String(), 'Pass it as `page` for more; null at the end.'),
  version: Version,
  cursor: Cursor,
})
export type VoiceSessionList = Static<typeof VoiceSessionList>
