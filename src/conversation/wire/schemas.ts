/**
 * What travels: the schemas of REST bodies, socket payloads, the OpenAPI document and the client's
 * types, all from here. Bounds that are settings are not in the schemas; `decode.ts` holds them.
 */
import Type, { type Static } from 'typebox'
import {
  AudioUrls,
  Cursor,
  closed,
  Heard,
  Id,
  JsonObject,
  Nullable,
  SessionId,
  TimeIn,
  TimeOf,
  TimeOut,
  Uuid,
  Version,
  VoiceSession,
} from './part-schemas.ts'

// Conversations

export const NewConversation = Type.Object(
  {
    id: Type.Optional(Id('The id to give it; made here if absent.')),
    externalId: Type.Optional(
      Type.String({ minLength: 1, maxLength: 255, description: 'Your own id, unique per tenant.' }),
    ),
    title: Type.Optional(Type.String({ maxLength: 1000 })),
    metadata: Type.Optional(JsonObject('Yours, kept as it is.')),
    createdAt: Type.Optional(
      TimeOf('When it began, where it was kept elsewhere before; the time of receipt if absent.'),
    ),
  },
  closed,
)
export type NewConversation = Static<typeof NewConversation>

export const ConversationPatch = Type.Object(
  {
    externalId: Type.Optional(Nullable(Type.String({ minLength: 1, maxLength: 255 }))),
    title: Type.Optional(Nullable(Type.String({ maxLength: 1000 }))),
    metadata: Type.Optional(Nullable(JsonObject('Merged member by member (RFC 7396).'))),
  },
  { ...closed, description: 'A JSON Merge Patch (RFC 7396): null removes.' },
)
export type ConversationPatch = Static<typeof ConversationPatch>

export const Conversation = Type.Object({
  id: Uuid,
  externalId: Nullable(Type.String()),
  title: Nullable(Type.String()),
  metadata: Nullable(JsonObject('Yours, kept as it is.')),
  version: Version,
  lastSeq: Type.Integer({ minimum: 0, description: 'The highest `seq`: also the message count.' }),
  lastMessageAt: Nullable(TimeOut),
  createdAt: TimeOut,
  erasedAt: Nullable(TimeOut),
})
export type Conversation = Static<typeof Conversation>

export const ConversationList = Type.Object({
  conversations: Type.Array(Conversation),
  nextPage: Nullable(Type.String(), 'Pass it as `page` for more; null at the end.'),
})
export type ConversationList = Static<typeof ConversationList>

export const ErasureReceipt = Type.Object({
  conversationId: Uuid,
  erasedAt: TimeOut,
  version: Version,
  cursor: Cursor,
  messages: Type.Integer({ minimum: 0, description: 'Messages deleted.' }),
  segments: Type.Integer({ minimum: 0, description: 'Segments deleted.' }),
})
export type ErasureReceipt = Static<typeof ErasureReceipt>

// Turns

export const NewUser = Type.Object(
  {
    id: Type.Optional(Id("The human message's id; made here if absent.")),
    text: Type.String({ description: 'One part, never split. Empty only with `voice`.' }),
    at: Type.Optional(TimeIn),
    voice: Type.Optional(
      Type.Object(
        {
          sessionId: Type.Optional(SessionId),
          durationSeconds: Type.Optional(
            Type.Integer({
              minimum: -2147483648,
              maximum: 2147483647,
              description: 'Whole seconds; 0 or less is stored as null.',
            }),
          ),
          speechEndedAt: Type.Optional(TimeIn),
        },
        closed,
      ),
    ),
    metadata: Type.Optional(JsonObject('Yours, kept as it is.')),
  },
  closed,
)

export const NewAssistant = Type.Object(
  {
    id: Type.Optional(Id("The AI message's id; made here if absent.")),
    responses: Type.Array(Type.String(), {
      description: 'The parts. `[SPLIT]` inside one splits it; empty parts are dropped.',
    }),
    at: Type.Optional(TimeIn),
    firstAudioAt: Type.Optional(TimeIn),
    ttsAudioUrls: Type.Optional(AudioUrls),
    memoryRetrievalTrace: Type.Optional(JsonObject('What was looked up to make the answer.')),
    metadata: Type.Optional(JsonObject('Yours: model, tokens, latency.')),
  },
  closed,
)

export const TurnSegment = Type.Object(
  {
    id: Id('The segment the turn belongs to; it tags both messages.'),
    agentResponse: Type.Optional(Type.String({ description: 'Completes the segment.' })),
  },
  closed,
)

export const NewTurn = Type.Object(
  {
    user: Type.Optional(NewUser),
    assistant: NewAssistant,
    segment: Type.Optional(TurnSegment),
  },
  closed,
)
export type NewTurn = Static<typeof NewTurn>

export const Message = Type.Object({
  id: Uuid,
  conversationId: Uuid,
  turnId: Id("The id of the turn's first message."),
  seq: Type.Integer({ minimum: 1, description: 'The order: dense, from 1.' }),
  version: Type.Integer({ minimum: 1, description: 'The version that last touched it.' }),
  role: Type.Union([Type.Literal('human'), Type.Literal('ai')]),
  parts: Type.Array(Type.String(), { minItems: 1 }),
  content: Type.String({ description: 'The parts, joined by `[SPLIT]`.' }),
  messageType: Type.Union([Type.Literal('text'), Type.Literal('audio')]),
  voiceSessionId: Nullable(Type.String()),
  durationSeconds: Nullable(Type.Integer({ minimum: 1 })),
  segmentId: Nullable(Uuid),
  ttsAudioUrls: Nullable(AudioUrls),
  memoryRetrievalTrace: Nullable(JsonObject('What was looked up to make the answer.')),
  metadata: Nullable(JsonObject('Yours, kept as it is.')),
  createdAt: TimeOut,
  state: Type.Union([Type.Literal('filled'), Type.Literal('pending'), Type.Literal('expired')], {
    description:
      'A turn that was opened has a seat: `pending` until its words come, `expired` once they are overdue.',
  }),
  heard: Nullable(Heard, 'What the listener heard of it; null: nothing was reported.'),
  interruptedAt: Nullable(TimeOut, 'When the report was made.'),
  speechEndedAt: Nullable(TimeOut, 'When the human stopped speaking, as the agent says.'),
  firstAudioAt: Nullable(TimeOut, 'When the AI began to be heard, as the agent says.'),
})
export type Message = Static<typeof Message>

export const RecordedTurn = Type.Object({
  humanMessageId: Nullable(Uuid, 'Null for an AI-only turn.'),
  assistantMessageId: Uuid,
  version: Type.Integer({ minimum: 1, description: 'The version this turn took.' }),
  cursor: Cursor,
  messages: Type.Array(Message),
  replayed: Type.Boolean({ description: 'Whether the idempotency key had recorded it before.' }),
})
export type RecordedTurn = Static<typeof RecordedTurn>

// Reads

export const MessagePage = Type.Object({
  messages: Type.Array(Message),
  hasMore: Type.Boolean({ description: 'Whether messages lie beyond the page, in its direction.' }),
  version: Version,
  cursor: Cursor,
})
export type MessagePage = Static<typeof MessagePage>

export const History = Type.Object({
  conversationId: Uuid,
  version: Version,
  cursor: Cursor,
  messages: Type.Array(Message),
})
export type History = Static<typeof History>

// Segments

export const NewSegment = Type.Object(
  { id: Type.Optional(Id('The id to give it; made here if absent.')) },
  closed,
)
export type NewSegment = Static<typeof NewSegment>

export const Lineage = Type.Object({
  conversationId: Uuid,
  userMessageId: Uuid,
  assistantMessageId: Uuid,
  segmentIds: Type.Array(Uuid),
})
export type Lineage = Static<typeof Lineage>

export const Segment = Type.Object({
  id: Uuid,
  conversationId: Uuid,
  version: Type.Integer({ minimum: 1, description: 'The version that last touched it.' }),
  userMessageId: Nullable(Uuid),
  agentResponse: Nullable(Type.String()),
  lineage: Nullable(Lineage),
  ttsAudioUrls: Nullable(AudioUrls),
  createdAt: TimeOut,
  updatedAt: TimeOut,
})
export type Segment = Static<typeof Segment>

export const SegmentList = Type.Object({
  segments: Type.Array(Segment),
  nextPage: Nullable(Type.String(), 'Pass it as `page` for more; null at the end.'),
  version: Version,
  cursor: Cursor,
})
export type SegmentList = Static<typeof SegmentList>

export const Change = Type.Object({
  from: Version,
  version: Version,
  cursor: Cursor,
  messages: Type.Array(Message),
  segments: Type.Optional(Type.Array(Segment)),
  voiceSessions: Type.Optional(Type.Array(VoiceSession)),
  conversation: Type.Optional(Conversation),
})
export type Change = Static<typeof Change>

export const ChangePage = Type.Object({
  ...Change.properties,
  hasMore: Type.Boolean({ description: 'Whether more changes follow: ask again with `cursor`.' }),
})
export type ChangePage = Static<typeof ChangePage>

export { Heard, TimeIn, TimeOut, Uuid, VoiceSession } from './part-schemas.ts'
