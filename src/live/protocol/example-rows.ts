/** The ids and rows of the frames' examples: one small conversation with one spoken turn. */
import { encodeCursor } from '../../conversation/wire/ids.ts'
import { nullFields } from '../../conversation/wire/null-fields.ts'
import type { Conversation, Message, VoiceSession } from '../../conversation/wire/schemas.ts'

export const exampleConversationId = '01a3c3a4-7d1e-7b52-9f10-3c6d2a9b4e01'
export const exampleHumanId = '01a3c3a4-9a40-7c1d-8a2b-5f0e6d7c8b02'
export const exampleAssistantId = '01a3c3a4-9a40-7c1d-8a2b-61c2d3e4f503'
export const exampleSegmentId = '01a3c3a4-8c11-7e3f-b6a7-0d1e2f3a4b04'
export const exampleSessionId = 'call-7'
export const exampleKey = 'call-7/turn-1'

/** The SHA-256 of the second part of the example's answer. */
export const exampleTextHash = '5b14246f8ec2eb02a0989f4c3a6db6ef164f5ad0847ce933f6547ad3c6c6923c'

export const exampleCursor = (version: number): string =>
  encodeCursor(exampleConversationId, version)

export const exampleHuman: Message = {
  id: exampleHumanId,
  conversationId: exampleConversationId,
  turnId: exampleHumanId,
  seq: 1,
  version: 4,
  role: 'human',
  parts: ['Is there a table for two?'],
  content: 'Is there a table for two?',
  messageType: 'audio',
  ...nullFields,
  voiceSessionId: exampleSessionId,
  durationSeconds: 2,
  createdAt: '2026-11-23T09:30:00.000000Z',
  state: 'filled',
  speechEndedAt: '2026-11-23T09:30:02.000000Z',
}

export const exampleAssistant: Message = {
  id: exampleAssistantId,
  conversationId: exampleConversationId,
  turnId: exampleHumanId,
  seq: 2,
  version: 4,
  role: 'ai',
  parts: ['There is one at eight.', 'Shall I book it?'],
  content: 'There is one at eight.[SPLIT]Shall I book it?',
  messageType: 'audio',
  ...nullFields,
  voiceSessionId: exampleSessionId,
  createdAt: '2026-11-23T09:30:02.500000Z',
  state: 'filled',
  firstAudioAt: '2026-11-23T09:30:02.900000Z',
}

export const exampleSession: VoiceSession = {
  id: exampleSessionId,
  conversationId: exampleConversationId,
  version: 2,
  metadata: { room: 'lobby' },
  startedAt: '2026-11-23T09:29:50.000000Z',
  endedAt: null,
}

export const exampleConversation: Conversation = {
  id: exampleConversationId,
  externalId: 'caller-4711',
  title: 'A table for two',
  metadata: null,
  version: 4,
  lastSeq: 2,
  lastMessageAt: '2026-11-23T09:30:02.500000Z',
  createdAt: '2026-11-23T09:29:41.000000Z',
  erasedAt: null,
}
