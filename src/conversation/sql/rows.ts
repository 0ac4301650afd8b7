/**
 * Maps rows of the tables to objects of the API. Each table has one list of columns and one
 * mapping.
 */
import type * as schema from '../../../drizzle/schema.ts'
import { joinParts } from '../wire/render.ts'
import type { Conversation, Lineage, Message, Segment, VoiceSession } from '../wire/schemas.ts'
import { timeFromPostgres } from '../wire/time.ts'

type Columns = Readonly<Record<string, string>>

type Table = { readonly $inferSelect: object }

/** Fields of a table in drizzle/schema.ts, each with its column's name there. */
type ColumnsOf<Of extends Table> = {
  readonly [Name in keyof Of['$inferSelect']]?: Name extends keyof Of
    ? Of[Name] extends { readonly _: { readonly name: infer Column } }
      ? Column
      : never
    : never
}

/**
 * The row type itself, if each of its fields accepts every value of its column. A jsonb column may
 * hold anything; what it holds here was checked before it was written.
 */
type RowOf<Of extends Table, Row extends Taking<Of['$inferSelect'], Row>> = Row

type Taking<Select, Row> = {
  [Name in keyof Row]: Name extends keyof Select
    ? unknown extends Select[Name]
      ? unknown
      : Select[Name] extends Row[Name]
        ? Row[Name]
        : never
    : never
}

export const messageColumns = {
  id: 'id',
  turnId: 'turn_id',
  seq: 'seq',
  version: 'version',
  role: 'role',
  parts: 'parts',
  messageType: 'message_type',
  voiceSessionId: 'voice_session_id',
  durationSeconds: 'duration_seconds',
  segmentId: 'segment_id',
  ttsAudioUrls: 'tts_audio_urls',
  memoryRetrievalTrace: 'memory_retrieval_trace',
  metadata: 'metadata',
  createdAt: 'created_at',
  state: 'state',
  heard: 'heard',
  interruptedAt: 'interrupted_at',
  speechEndedAt: 'speech_ended_at',
  firstAudioAt: 'first_audio_at',
} as const satisfies ColumnsOf<typeof schema.conversationMessages>

export const voiceSessionColumns = {
  id: 'id',
  version: 'version',
  metadata: 'metadata',
  startedAt: 'started_at',
  endedAt: 'ended_at',
} as const satisfies ColumnsOf<typeof schema.voiceSessions>

export const segmentColumns = {
  id: 'id',
  version: 'version',
  userMessageId: 'user_message_id',
  agentResponse: 'agent_response',
  lineage: 'lineage',
  ttsAudioUrls: 'tts_audio_urls',
  createdAt: 'created_at',
  updatedAt: 'updated_at',
} as const satisfies ColumnsOf<typeof schema.segments>

export const conversationColumns = {
  id: 'id',
  externalId: 'external_id',
  title: 'title',
  metadata: 'metadata',
  version: 'version',
  selfVersion: 'self_version',
  lastSeq: 'last_seq',
  lastMessageAt: 'last_message_at',
  createdAt: 'created_at',
  erasedAt: 'erased_at',
} as const satisfies ColumnsOf<typeof schema.conversations>

type Json = { [name: string]: unknown }

export type MessageRow = RowOf<
  typeof schema.conversationMessages,
  { [Name in keyof typeof messageColumns]: Name extends 'createdAt' ? string : Message[Name] }
>

export type SegmentRow = RowOf<
  typeof schema.segments,
  { [Name in keyof typeof segmentColumns]: Name extends 'lineage' ? Lineage | null : Segment[Name] }
>

export type VoiceSessionRow = RowOf<
  typeof schema.voiceSessions,
  { [Name in keyof typeof voiceSessionColumns]: VoiceSession[Name] }
>

export type ConversationRow = RowOf<
  typeof schema.conversations,
  Conversation & { selfVersion: number }
>

/** Prints `alias.column AS "name"`, for a select list. */
const list = (columns: Columns) => (alias: string) =>
  Object.entries(columns)
    .map(([name, column]) => `${alias}.${column} AS "${name}"`)
    .join(', ')

/** Prints `json_build_object(...)`, so that rows of several tables fit into one column. */
const object = (columns: Columns) => (alias: string) =>
  `json_build_object(${Object.entries(columns)
    .map(([name, column]) => `'${name}', ${alias}.${column}${name.endsWith('At') ? '::text' : ''}`)
    .join(', ')})`

export const messageList = list(messageColumns)
export const messageObject = object(messageColumns)
export const segmentList = list(segmentColumns)
export const segmentObject = object(segmentColumns)
export const voiceSessionList = list(voiceSessionColumns)
export const voiceSessionObject = object(voiceSessionColumns)
export const conversationList = list(conversationColumns)
export const conversationObject = object(conversationColumns)

const timeOrNull = (text: string | null) => (text === null ? null : timeFromPostgres(text))

export const messageFromRow = (conversationId: string, row: MessageRow): Message =>
  messageOf(conversationId, {
    ...row,
    createdAt: timeFromPostgres(row.createdAt),
    // A row without a heard part has the time at which its report was taken back.
    interruptedAt: row.heard === null ? null : timeOrNull(row.interruptedAt),
    speechEndedAt: timeOrNull(row.speechEndedAt),
    firstAudioAt: timeOrNull(row.firstAudioAt),
  })

/** Makes every message, so that all have one order of members. Times have the API's form. */
export function messageOf(conversationId: string, row: MessageRow): Message {
  return {
    id: row.id,
    conversationId,
    turnId: row.turnId,
    state: row.state,
    interruptedAt: row.interruptedAt,
    seq: row.seq,
    version: row.version,
    role: row.role,
    parts: row.parts,
    content: joinParts(row.parts),
    messageType: row.messageType,
    voiceSessionId: row.voiceSessionId,
    durationSeconds: row.durationSeconds,
    segmentId: row.segmentId,
    ttsAudioUrls: row.ttsAudioUrls,
    speechEndedAt: row.speechEndedAt,
    firstAudioAt: row.firstAudioAt,
    memoryRetrievalTrace: row.memoryRetrievalTrace,
    metadata: row.metadata,
    heard: row.heard,
    createdAt: row.createdAt,
  }
}

export function voiceSessionFromRow(conversationId: string, row: VoiceSessionRow): VoiceSession {
  return {
    id: row.id,
    conversationId,
    version: row.version,
    metadata: row.metadata,
    startedAt: timeFromPostgres(row.startedAt),
    endedAt: timeOrNull(row.endedAt),
  }
}

export function segmentFromRow(conversationId: string, row: SegmentRow): Segment {
  return {
    id: row.id,
    conversationId,
    version: row.version,
    userMessageId: row.userMessageId,
    agentResponse: row.agentResponse,
    lineage: row.lineage,
    ttsAudioUrls: row.ttsAudioUrls,
    createdAt: timeFromPostgres(row.createdAt),
    updatedAt: timeFromPostgres(row.updatedAt),
  }
}

export function conversationFromRow(row: ConversationRow): Conversation {
  return {
    id: row.id,
    externalId: row.externalId,
    title: row.title,
    metadata: row.metadata as Json | null,
    version: row.version,
    lastSeq: row.lastSeq,
    lastMessageAt: timeOrNull(row.lastMessageAt),
    createdAt: timeFromPostgres(row.createdAt),
    erasedAt: timeOrNull(row.erasedAt),
  }
}
