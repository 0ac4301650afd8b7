/** The examples of the OpenAPI document. All show the same small conversation. */

import type * as audio from '../../conversation/wire/audio-schemas.ts'
import { encodeCursor } from '../../conversation/wire/ids.ts'
import { nullFields } from '../../conversation/wire/null-fields.ts'
import type * as wire from '../../conversation/wire/schemas.ts'

const conversationId = '0199c3a4-7d1e-7b52-9f10-3c6d2a9b4e01'
const humanMessageId = '0199c3a4-9a40-7c1d-8a2b-5f0e6d7c8b02'
const assistantMessageId = '0199c3a4-9a40-7c1d-8a2b-61c2d3e4f503'
const segmentId = '0199c3a4-8c11-7e3f-b6a7-0d1e2f3a4b04'

const newTurn: wire.NewTurn = {
  user: {
    text: 'Is there a table for two tonight?',
    at: '2026-11-23T09:30:00.123456Z',
    voice: { sessionId: 'call-7', durationSeconds: 3 },
  },
  assistant: {
    responses: ['There is one at eight.', 'Shall I book it?'],
    memoryRetrievalTrace: { query: 'restaurant preferences', hits: 2 },
    metadata: { model: 'gpt-5', outputTokens: 14 },
  },
  segment: { id: segmentId, agentResponse: 'There is one at eight. Shall I book it?' },
}

const attachAll: audio.Attach = { ttsAudioUrls: ['https://audio.example/a1.mp3', null] }

const newConversation: wire.NewConversation = {
  externalId: 'caller-4711',
  title: 'A table for two',
  metadata: { channel: 'phone' },
}

const conversation: wire.Conversation = {
  id: conversationId,
  externalId: 'caller-4711',
  title: 'A table for two',
  metadata: { channel: 'phone' },
  version: 3,
  lastSeq: 2,
  lastMessageAt: '2026-11-23T09:30:00.123457Z',
  createdAt: '2026-11-23T09:29:41.000000Z',
  erasedAt: null,
}

const human: wire.Message = {
  id: humanMessageId,
  conversationId,
  turnId: humanMessageId,
  seq: 1,
  version: 3,
  role: 'human',
  parts: ['Is there a table for two tonight?'],
  content: 'Is there a table for two tonight?',
  messageType: 'audio',
  ...nullFields,
  voiceSessionId: 'call-7',
  durationSeconds: 3,
  segmentId,
  createdAt: '2026-11-23T09:30:00.123456Z',
  state: 'filled',
}

const ai: wire.Message = {
  ...human,
  id: assistantMessageId,
  seq: 2,
  role: 'ai',
  parts: ['There is one at eight.', 'Shall I book it?'],
  content: 'There is one at eight.[SPLIT]Shall I book it?',
  messageType: 'text',
  voiceSessionId: null,
  durationSeconds: null,
  memoryRetrievalTrace: { query: 'restaurant preferences', hits: 2 },
  metadata: { model: 'gpt-5', outputTokens: 14 },
  createdAt: '2026-11-23T09:30:00.123457Z',
}

const spoken: wire.Message = {
  ...ai,
  version: 4,
  ttsAudioUrls: ['https://audio.example/a1.mp3', null],
}

const segment: wire.Segment = {
  id: segmentId,
  conversationId,
  version: 3,
  userMessageId: humanMessageId,
  agentResponse: 'There is one at eight. Shall I book it?',
  lineage: {
    conversationId,
    userMessageId: humanMessageId,
    assistantMessageId,
    segmentIds: [segmentId],
  },
  ttsAudioUrls: null,
  createdAt: '2026-11-23T09:29:58.000000Z',
  updatedAt: '2026-11-23T09:30:01.734000Z',
}

const cursor = encodeCursor(conversationId, 3)
const attached = { messageId: assistantMessageId, version: 4 }

export const exampleIds = {
  conversationId,
  assistantMessageId,
  segmentId,
  voiceSessionId: 'call-7',
} as const

/**
 * Each example under the name of its schema or case. `satisfies` checks them against the wire
 * types.
 */
export const examples = {
  newConversation,
  conversationPatch: { title: 'Booked: a table for two', metadata: { channel: null } },
  conversation,
  createdConversation: { ...conversation, version: 1, lastSeq: 0, lastMessageAt: null },
  patchedConversation: {
    ...conversation,
    title: 'Booked: a table for two',
    metadata: {},
    version: 4,
  },
  conversationList: { conversations: [conversation], nextPage: null },
  erasureReceipt: {
    conversationId,
    erasedAt: '2026-11-30T08:00:00.000000Z',
    version: 4,
    cursor: encodeCursor(conversationId, 4),
    messages: 2,
    segments: 1,
  },
  newTurn,
  recordedTurn: {
    humanMessageId,
    assistantMessageId,
    version: 3,
    cursor,
    messages: [human, ai],
    replayed: false,
  },
  messagePage: { messages: [human, ai], hasMore: false, version: 3, cursor },
  history: { conversationId, version: 3, cursor, messages: [human, ai] },
  changePage: {
    from: 2,
    version: 3,
    cursor,
    messages: [human, ai],
    segments: [segment],
    hasMore: false,
  },
  newSegment: { id: segmentId },
  segment,
  createdSegment: {
    ...segment,
    version: 2,
    userMessageId: null,
    agentResponse: null,
    lineage: null,
    updatedAt: segment.createdAt,
  },
  segmentList: { segments: [segment], nextPage: null, version: 3, cursor },
  attachAll,
  attachWithSegment: { ...attachAll, segmentId },
  attachPart: { part: 1, ttsAudioUrl: 'https://audio.example/a2.mp3' },
  attachedAudio: { ...attached, cursor: encodeCursor(conversationId, 4), message: spoken },
} as const satisfies {
  newConversation: wire.NewConversation
  conversationPatch: wire.ConversationPatch
  conversation: wire.Conversation
  createdConversation: wire.Conversation
  patchedConversation: wire.Conversation
  conversationList: wire.ConversationList
  erasureReceipt: wire.ErasureReceipt
  newTurn: wire.NewTurn
  recordedTurn: wire.RecordedTurn
  messagePage: wire.MessagePage
  history: wire.History
  changePage: wire.ChangePage
  newSegment: wire.NewSegment
  segment: wire.Segment
  createdSegment: wire.Segment
  segmentList: wire.SegmentList
  attachAll: audio.Attach
  attachWithSegment: audio.Attach
  attachPart: audio.Attach
  attachedAudio: audio.AttachedAudio
}
