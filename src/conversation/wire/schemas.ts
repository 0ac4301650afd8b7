/**
 * The schemas of REST bodies and socket payloads. The OpenAPI document and the client's types are
 * made from them. Bounds that are settings are not in the schemas; `decode.ts` checks them.
 */
import Type, { type Static } from 'typebox'
import {
  AudioUrls,
  ChangedAt,
  Cursor,
  closed,
  Heard,
  Id,
  JsonObject,
  Metadata,
  NextPage,
  Nullable,
  RetrievalTrace,
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
    id: Type.Optional(Id('Its id. The service makes one if absent.')),
    externalId: Type.Optional(
      Type.String({ minLength: 1, maxLength: 255, description: 'Your own id, unique per tenant.' }),
    ),
    title: Type.Optional(Type.String({ maxLength: 1000 })),
    metadata: Type.Optional(Metadata),
    createdAt: Type.Optional(
      TimeOf('When it began, if another system stored it. Default: the time of receipt.'),
    ),
  },
  closed,
)
export type NewConversation = Static<typeof NewConversation>

export const ConversationPatch = Type.Object(
  {
    externalId: Type.Optional(Nullable(Type.String({ minLength: 1, maxLength: 255 }))),
    title: Type.Optional(Nullable(Type.String({ maxLength: 1000 }))),
    metadata: Type.Optional(Nullable(JsonObject('Merged into the stored metadata (RFC 7396).'))),
  },
  { ...closed, description: 'A JSON Merge Patch (RFC 7396). Null removes a value.' },
)
export type ConversationPatch = Static<typeof ConversationPatch>

export const Conversation = Type.Object({
  id: Uuid,
  externalId: Nullable(Type.String()),
  title: Nullable(Type.String()),
  metadata: Nullable(Metadata),
  version: Version,
  lastSeq: Type.Integer({ minimum: 0, description: 'Highest `seq`, and the number of messages.' }),
  lastMessageAt: Nullable(TimeOut),
  createdAt: TimeOut,
  erasedAt: Nullable(TimeOut),
})
export type Conversation = Static<typeof Conversation>

export const ConversationList = Type.Object({
  conversations: Type.Array(Conversation),
  nextPage: NextPage,
})
export type ConversationList = Static<typeof ConversationList>

export const ErasureReceipt = Type.Object({
  conversationId: Uuid,
  erasedAt: TimeOut,
  version: Version,
  cursor: Cursor,
  messages: Type.Integer({ minimum: 0, description: 'Number of deleted messages.' }),
  segments: Type.Integer({ minimum: 0, description: 'Number of deleted segments.' }),
})
export type ErasureReceipt = Static<typeof ErasureReceipt>

// Turns

export const NewUser = Type.Object(
  {
    id: Type.Optional(Id('Id of the human message. The service makes one if absent.')),
    text: Type.String({ description: 'The words, as one part. Empty only with `voice`.' }),
    at: Type.Optional(TimeIn),
    voice: Type.Optional(
      Type.Object(
        {
          sessionId: Type.Optional(SessionId),
          durationSeconds: Type.Optional(
            Type.Integer({
              minimum: -2147483648,
              maximum: 2147483647,
              description: 'Length of the speech in whole seconds. 0 or less is stored as null.',
            }),
          ),
          speechEndedAt: Type.Optional(TimeIn),
        },
        closed,
      ),
    ),
    metadata: Type.Optional(Metadata),
  },
  closed,
)

export const NewAssistant = Type.Object(
  {
    id: Type.Optional(Id('Id of the AI message. The service makes one if absent.')),
    responses: Type.Array(Type.String(), {
      description: 'The parts. `[SPLIT]` splits a response into parts. Empty parts are dropped.',
    }),
    at: Type.Optional(TimeIn),
    firstAudioAt: Type.Optional(TimeIn),
    ttsAudioUrls: Type.Optional(AudioUrls),
    memoryRetrievalTrace: Type.Optional(RetrievalTrace),
    metadata: Type.Optional(JsonObject('Your own data, for example model, tokens and latency.')),
  },
  closed,
)

export const TurnSegment = Type.Object(
  {
    id: Id('Segment that the turn belongs to. Both messages get its id as `segmentId`.'),
    agentResponse: Type.Optional(Type.String({ description: 'Text that completes the segment.' })),
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
  turnId: Id('Id of the turn, which is the id of its first message.'),
  seq: Type.Integer({ minimum: 1, description: 'Position: 1, 2, 3, … without gaps.' }),
  version: ChangedAt,
  role: Type.Union([Type.Literal('human'), Type.Literal('ai')]),
  parts: Type.Array(Type.String(), { minItems: 1 }),
  content: Type.String({ description: 'The parts, joined by `[SPLIT]`.' }),
  messageType: Type.Union([Type.Literal('text'), Type.Literal('audio')]),
  voiceSessionId: Nullable(Type.String()),
  durationSeconds: Nullable(Type.Integer({ minimum: 1 })),
  segmentId: Nullable(Uuid),
  ttsAudioUrls: Nullable(AudioUrls),
  memoryRetrievalTrace: Nullable(RetrievalTrace),
  metadata: Nullable(Metadata),
  createdAt: TimeOut,
  state: Type.Union([Type.Literal('filled'), Type.Literal('pending'), Type.Literal('expired')], {
    description:
      '`filled`: the message has its words. `pending`: the seat of an opened turn waits for its words. `expired`: they did not arrive in time, but late words still fill the seat.',
  }),
  heard: Nullable(Heard, 'How much of it the listener heard. Null if not interrupted.'),
  interruptedAt: Nullable(TimeOut, 'Time of the latest interruption report.'),
  speechEndedAt: Nullable(TimeOut, 'When the human stopped speaking, as the agent reported.'),
  firstAudioAt: Nullable(TimeOut, 'When the AI audio began to play, as the agent reported.'),
})
export type Message = Static<typeof Message>

export const RecordedTurn = Type.Object({
  humanMessageId: Nullable(Uuid, 'Null for a turn without a human message.'),
  assistantMessageId: Uuid,
  version: Type.Integer({ minimum: 1, description: 'Version that this turn created.' }),
  cursor: Cursor,
  messages: Type.Array(Message),
  replayed: Type.Boolean({ description: 'Whether an earlier request had recorded the turn.' }),
})
export type RecordedTurn = Static<typeof RecordedTurn>

// Reads

export const MessagePage = Type.Object({
  messages: Type.Array(Message),
  hasMore: Type.Boolean({ description: 'Whether more messages follow in this direction.' }),
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
  { id: Type.Optional(Id('Its id. The service makes one if absent.')) },
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
  version: ChangedAt,
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
  nextPage: NextPage,
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
  hasMore: Type.Boolean({ description: 'Whether more changes follow. Read on from `cursor`.' }),
})
export type ChangePage = Static<typeof ChangePage>

export { Heard, TimeIn, TimeOut, Uuid, VoiceSession } from './part-schemas.ts'
