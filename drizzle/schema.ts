/**
 * The tables. `tenant` stands on every one, and every unique and foreign key contains the
 * conversation's id (or the tenant), so that they can be distributed as they are.
 *
 * The writes are functions of the database, whose sources are in functions/. They alone give out
 * `seq` and `version`, under the conversation's row lock.
 */
import { sql } from 'drizzle-orm'
import {
  type AnyPgColumn,
  bigint,
  check,
  customType,
  foreignKey,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  unique,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core'

/** Microseconds survive as text; a JavaScript Date would cut them. */
const time = customType<{ data: string; driverData: string }>({
  dataType: () => 'timestamp(6) with time zone',
})

const bytes = customType<{ data: Uint8Array; driverData: Uint8Array }>({ dataType: () => 'bytea' })

const counter = <Name extends string>(name: Name) => bigint(name, { mode: 'number' })

export const conversations = pgTable(
  'conversations',
  {
    id: uuid('id').primaryKey(),
    tenant: text('tenant').notNull(),
    owner: text('owner'),
    /** +1 for every durable change; creation takes 1. */
    version: counter('version').notNull(),
    /** The version that last touched the title, metadata, external id or `erased_at`. */
    selfVersion: counter('self_version').notNull(),
    lastSeq: counter('last_seq').notNull(),
    lastMessageAt: time('last_message_at'),
    /** A copy of the key in `conversation_external_ids`, so that a read needs no join. */
    externalId: text('external_id'),
    title: text('title'),
    metadata: jsonb('metadata'),
    /** SHA-256 of the creating body: tells a repeated creation from another one. */
    requestHash: bytes('request_hash'),
    createdAt: time('created_at').notNull(),
    erasedAt: time('erased_at'),
    /** What the erasure deleted: the receipt can be asked for again. */
    erasedMessages: counter('erased_messages'),
    erasedSegments: counter('erased_segments'),
  },
  (table) => [
    index('conversations_by_activity')
      .on(
        table.tenant,
        sql`coalesce(${table.lastMessageAt}, ${table.createdAt}) desc`,
        table.id.desc().nullsFirst(),
      )
      .where(sql`${table.erasedAt} is null`),
    check('conversations_counters', sql`${table.version} >= 1 and ${table.lastSeq} >= 0`),
  ],
)

export const conversationExternalIds = pgTable(
  'conversation_external_ids',
  {
    tenant: text('tenant').notNull(),
    externalId: text('external_id').notNull(),
    conversationId: uuid('conversation_id').notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.externalId] })],
)

// Messages and segments refer to each other: the stated type ends the circle of inference.
const segmentKey = (): [AnyPgColumn, AnyPgColumn] => [segments.conversationId, segments.id]

export const conversationMessages = pgTable(
  'conversation_messages',
  {
    /** No foreign key, which costs each message a look: see functions/turnlog_keep_conversation.sql. */
    conversationId: uuid('conversation_id').notNull(),
    seq: counter('seq').notNull(),
    id: uuid('id').notNull(),
    tenant: text('tenant').notNull(),
    turnId: uuid('turn_id').notNull(),
    version: counter('version').notNull(),
    role: text('role', { enum: ['human', 'ai'] }).notNull(),
    parts: text('parts').array().notNull(),
    messageType: text('message_type', { enum: ['text', 'audio'] }).notNull(),
    voiceSessionId: text('voice_session_id'),
    durationSeconds: integer('duration_seconds'),
    segmentId: uuid('segment_id'),
    ttsAudioUrls: text('tts_audio_urls').array(),
    memoryRetrievalTrace: jsonb('memory_retrieval_trace'),
    metadata: jsonb('metadata'),
    createdAt: time('created_at').notNull(),
    /** On the turn's first message only. */
    idempotencyKey: text('idempotency_key'),
    /** Of the whole turn, on its first message; where the turn was opened, of its half, on each. */
    requestHash: bytes('request_hash'),
    /** The version that recorded the turn, on its first message; of an opened one's half, on each. */
    recordedVersion: counter('recorded_version'),
    /** A seat has its place in the order and no words yet; `expired`: they did not come in time. */
    state: text('state', { enum: ['filled', 'pending', 'expired'] })
      .notNull()
      .default('filled'),
    /** The version that opened the turn, on its human message. Null: it was recorded at once. */
    openedVersion: counter('opened_version'),
    seatUntil: time('seat_until'),
    /** The AI message's place, on the human message of an opened turn. */
    answerSeq: counter('answer_seq'),
    /** What the listener heard of it, as reported last, and when it was cut off. */
    heard: jsonb('heard'),
    interruptedAt: time('interrupted_at'),
    /** As the agent says: the human's end of speech, the AI's first sound. */
    speechEndedAt: time('speech_ended_at'),
    firstAudioAt: time('first_audio_at'),
  },
  (table) => [
    primaryKey({ columns: [table.conversationId, table.seq] }),
    unique('messages_by_id').on(table.conversationId, table.id),
    uniqueIndex('messages_by_key')
      .on(table.conversationId, table.idempotencyKey)
      .where(sql`${table.idempotencyKey} is not null`),
    index('messages_by_version').on(table.conversationId, table.version),
    index('messages_by_segment')
      .on(table.conversationId, table.segmentId)
      .where(sql`${table.segmentId} is not null`),
    index('messages_by_voice_session')
      .on(table.conversationId, table.voiceSessionId)
      .where(sql`${table.voiceSessionId} is not null`),
    index('messages_pending')
      .on(table.seatUntil, table.conversationId)
      .where(sql`${table.state} = 'pending'`),
    index('messages_pending_by_conversation')
      .on(table.conversationId, table.seq)
      .where(sql`${table.state} = 'pending'`),
    foreignKey({
      name: 'messages_segment',
      columns: [table.conversationId, table.segmentId],
      foreignColumns: segmentKey(),
    }),
    check('messages_role', sql`${table.role} in ('human', 'ai')`),
    check('messages_type', sql`${table.messageType} in ('text', 'audio')`),
    check('messages_parts', sql`cardinality(${table.parts}) >= 1`),
    check('messages_seq', sql`${table.seq} >= 1`),
    check('messages_state', sql`${table.state} in ('filled', 'pending', 'expired')`),
  ],
)

export const segments = pgTable(
  'segments',
  {
    conversationId: uuid('conversation_id')
      .notNull()
      .references(() => conversations.id),
    id: uuid('id').notNull(),
    tenant: text('tenant').notNull(),
    version: counter('version').notNull(),
    userMessageId: uuid('user_message_id'),
    agentResponse: text('agent_response'),
    lineage: jsonb('lineage'),
    ttsAudioUrls: text('tts_audio_urls').array(),
    createdAt: time('created_at').notNull(),
    updatedAt: time('updated_at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.conversationId, table.id] }),
    index('segments_by_version').on(table.conversationId, table.version),
    index('segments_by_creation').on(table.conversationId, table.createdAt, table.id),
    index('segments_by_user_message')
      .on(table.conversationId, table.userMessageId)
      .where(sql`${table.userMessageId} is not null`),
    foreignKey({
      name: 'segments_user_message',
      columns: [table.conversationId, table.userMessageId],
      foreignColumns: [conversationMessages.conversationId, conversationMessages.id],
    }),
  ],
)

/** Spoken sessions. One that a turn names is made with it. */
export const voiceSessions = pgTable(
  'voice_sessions',
  {
    conversationId: uuid('conversation_id')
      .notNull()
      .references(() => conversations.id),
    /** The caller's, or made here. */
    id: text('id').notNull(),
    tenant: text('tenant').notNull(),
    version: counter('version').notNull(),
    metadata: jsonb('metadata'),
    startedAt: time('started_at').notNull(),
    endedAt: time('ended_at'),
    /** Sockets that speak in it carry this on; past it, the session ends by itself. */
    leaseUntil: time('lease_until'),
  },
  (table) => [
    primaryKey({ columns: [table.conversationId, table.id] }),
    index('voice_sessions_by_version').on(table.conversationId, table.version),
    index('voice_sessions_by_start').on(table.conversationId, table.startedAt, table.id),
    index('voice_sessions_by_lease')
      .on(table.leaseUntil)
      .where(sql`${table.endedAt} is null and ${table.leaseUntil} is not null`),
  ],
)

/** Audio that came before its turn: joined when the turn commits, where the part's text is the one it was made of. */
export const heldAudio = pgTable(
  'held_audio',
  {
    conversationId: uuid('conversation_id')
      .notNull()
      .references(() => conversations.id),
    key: text('key').notNull(),
    /** From 0. */
    part: integer('part').notNull(),
    tenant: text('tenant').notNull(),
    /** SHA-256 of the part's text in UTF-8. */
    textHash: bytes('text_hash').notNull(),
    url: text('url').notNull(),
    expiresAt: time('expires_at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.conversationId, table.key, table.part] }),
    index('held_audio_by_expiry').on(table.expiresAt),
  ],
)

/** Erasures whose messages may still be in a cache. Written by the erasing call, worked off by every node. */
export const cacheErasures = pgTable(
  'cache_erasures',
  {
    tenant: text('tenant').notNull(),
    conversationId: uuid('conversation_id').notNull(),
    version: counter('version').notNull(),
    erasedAt: time('erased_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.conversationId] })],
)

/** Which migrations ran, and the oldest code that still works with each. */
export const migrations = pgTable('turnlog_migrations', {
  id: integer('id').primaryKey(),
  name: text('name').notNull(),
  oldestCode: integer('oldest_code').notNull(),
})
