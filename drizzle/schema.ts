/**
 * The tables. Every table has a `tenant`, and every unique key and foreign key contains the id of
 * the conversation or the tenant, so that the tables can be distributed without a change.
 *
 * Functions of the database do the writes; their sources are in functions/. Only they assign `seq`
 * and `version`, and they do it under the lock of the conversation's row.
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

/** A time. It is text in JavaScript, because a Date would cut off the microseconds. */
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
    /** 1 at the creation, and one more for every durable change. */
    version: counter('version').notNull(),
    /** The version that last changed the title, the metadata, the external id or `erased_at`. */
    selfVersion: counter('self_version').notNull(),
    lastSeq: counter('last_seq').notNull(),
    lastMessageAt: time('last_message_at'),
    /** A copy of the key in `conversation_external_ids`, so that a read needs no join. */
    externalId: text('external_id'),
    title: text('title'),
    metadata: jsonb('metadata'),
    /** SHA-256 of the body that created it: it tells a repeated creation from another one. */
    requestHash: bytes('request_hash'),
    createdAt: time('created_at').notNull(),
    erasedAt: time('erased_at'),
    /** The numbers of messages and segments that the erasure deleted, for a repeated receipt. */
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

// Messages and segments refer to each other. The explicit type ends the circle for type inference.
const segmentKey = (): [AnyPgColumn, AnyPgColumn] => [segments.conversationId, segments.id]

export const conversationMessages = pgTable(
  'conversation_messages',
  {
    /** It has no foreign key: see functions/turnlog_keep_conversation.sql. */
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
    /** The key of the turn, on its first message only. */
    idempotencyKey: text('idempotency_key'),
    /** On a turn's first message: its hash. On each message of an opened turn: its half's hash. */
    requestHash: bytes('request_hash'),
    /** On the same messages: the version that recorded the turn, or the half of an opened turn. */
    recordedVersion: counter('recorded_version'),
    /** `pending`: a seat, whose words have not arrived. `expired`: they did not arrive in time. */
    state: text('state', { enum: ['filled', 'pending', 'expired'] })
      .notNull()
      .default('filled'),
    /** The version that opened the turn, on its human message. Null if the turn was not opened. */
    openedVersion: counter('opened_version'),
    /** The time at which the seat expires. */
    seatUntil: time('seat_until'),
    /** The `seq` of the AI message, on the human message of an opened turn. */
    answerSeq: counter('answer_seq'),
    /** The part that the listener heard, and the time of the interruption, as reported last. */
    heard: jsonb('heard'),
    interruptedAt: time('interrupted_at'),
    /** Times that the agent reports: the end of the human's speech, and the AI's first sound. */
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

/** Voice sessions. A turn that names a missing session makes it. */
export const voiceSessions = pgTable(
  'voice_sessions',
  {
    conversationId: uuid('conversation_id')
      .notNull()
      .references(() => conversations.id),
    /** The id that the caller chose, or one made here. */
    id: text('id').notNull(),
    tenant: text('tenant').notNull(),
    version: counter('version').notNull(),
    metadata: jsonb('metadata'),
    startedAt: time('started_at').notNull(),
    endedAt: time('ended_at'),
    /** The session ends by itself after this time. Sockets that speak in it extend it. */
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

/** Audio that arrived before its turn, and joins it if the part has the text of `text_hash`. */
export const heldAudio = pgTable(
  'held_audio',
  {
    conversationId: uuid('conversation_id')
      .notNull()
      .references(() => conversations.id),
    key: text('key').notNull(),
    /** The index of the part in the message, from 0. */
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

/**
 * Erasures whose messages may still be in a cache. The erasing call writes a row, and every node
 * erases the messages of each row. A row stays until no cache can have its messages.
 */
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

/** The migrations that have run, and the oldest code that still works with each. */
export const migrations = pgTable('turnlog_migrations', {
  id: integer('id').primaryKey(),
  name: text('name').notNull(),
  oldestCode: integer('oldest_code').notNull(),
})
