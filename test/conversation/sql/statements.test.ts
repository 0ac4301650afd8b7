/** Prepares every statement on a migrated database, and compares its columns with its row type. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { getTableColumns } from 'drizzle-orm'
import type { PgColumn, PgTable } from 'drizzle-orm/pg-core'
import postgres from 'postgres'
import * as schema from '../../../drizzle/schema.ts'
import { type AuditedRow, auditStatements } from '../../../src/conversation/cache/audit.ts'
import {
  erasureStatements,
  type PendingErasureRow,
} from '../../../src/conversation/cache/erasures.ts'
import { type ChangeRow, changesStatement } from '../../../src/conversation/reading/changes.ts'
import {
  type SnapshotRow,
  snapshotStatement,
} from '../../../src/conversation/reading/live-reads.ts'
import { type VersionRow, versionsStatement } from '../../../src/conversation/reading/versions.ts'
import { type AttachedRow, attachCall } from '../../../src/conversation/speech/audio-writes.ts'
import {
  type InterruptedRow,
  interruptCall,
} from '../../../src/conversation/speech/interruption-writes.ts'
import {
  type DueRow,
  type ExpiredSeatRow,
  lapseStatements,
} from '../../../src/conversation/speech/lapses.ts'
import {
  type CompletedRow,
  type OpenedRow,
  seatCalls,
} from '../../../src/conversation/speech/seat-writes.ts'
import {
  type SessionReportRow,
  sessionReads,
} from '../../../src/conversation/speech/voice-session-reads.ts'
import {
  sessionCalls,
  type WrittenSessionRow,
} from '../../../src/conversation/speech/voice-session-store.ts'
import {
  type ConversationRow,
  conversationColumns,
  type MessageRow,
  messageColumns,
  type SegmentRow,
  segmentColumns,
  type VoiceSessionRow,
  voiceSessionColumns,
} from '../../../src/conversation/sql/rows.ts'
import {
  type HeadJoined,
  type HeadRow,
  type ListedConversationRow,
  lists,
  statements,
} from '../../../src/conversation/sql/statements.ts'
import {
  conversationCalls,
  type ErasedRow,
  type WrittenConversationRow,
} from '../../../src/conversation/writing/conversation-writes.ts'
import {
  probeTurn,
  type RightsRow,
  rightsStatement,
  writableCheck,
} from '../../../src/conversation/writing/probe.ts'
import { anyTurns, loneTurn } from '../../../src/conversation/writing/record-call.ts'
import type { RecordedRow } from '../../../src/conversation/writing/recorder.ts'
import { type FoundRow, lookupStatement } from '../../../src/conversation/writing/turn-lookup.ts'
import {
  segmentCalls,
  type WrittenSegmentRow,
} from '../../../src/conversation/writing/turn-writes.ts'
import { exportedStatements, hiddenStatements } from '../../support/database/statements.ts'
import { openPostgres } from '../../support/servers/databases.ts'
import { testDatabaseUrl } from '../../support/servers/postgres.ts'

const typesByOid = {
  16: 'bool',
  20: 'int8',
  23: 'int4',
  25: 'text',
  114: 'json',
  701: 'float8',
  1009: 'text[]',
  1184: 'timestamptz',
  2950: 'uuid',
  3802: 'jsonb',
} as const

/** The Postgres types that a field of a row may come from, by the rules of the database port. */
type ColumnType<Value> = [Value] extends [number]
  ? 'int4' | 'int8' | 'float8'
  : [Value] extends [string]
    ? 'text' | 'uuid' | 'timestamptz'
    : [Value] extends [boolean]
      ? 'bool'
      : [Value] extends [readonly unknown[]]
        ? 'text[]'
        : 'json' | 'jsonb'

/** Compiles only if it has exactly the fields of the row. */
type Columns<Row> = { [Name in keyof Row]-?: ColumnType<NonNullable<Row[Name]>> }

const table = new Map<string, Record<string, string>>()
const has = <Row>(columns: Columns<Row>, ...texts: string[]) => {
  for (const text of texts) table.set(text, { ...columns })
}

/** Postgres types by their names in drizzle's schema. */
const typesInSchema: Record<string, string> = {
  bigint: 'int8',
  integer: 'int4',
  'timestamp(6) with time zone': 'timestamptz',
}

/** The columns of a table's row, by the list of columns in rows.ts and the types in schema.ts. */
function columnsOf<Row extends object>(
  list: Record<keyof Row, string>,
  table: PgTable,
): Columns<Row> {
  const columns: Record<string, PgColumn> = getTableColumns(table)
  const types = Object.keys(list).map((name) => {
    const type = columns[name]?.getSQLType() ?? 'no column'
    return [name, typesInSchema[type] ?? type]
  })
  return Object.fromEntries(types) as Columns<Row>
}

const message = columnsOf<MessageRow>(messageColumns, schema.conversationMessages)
const segment = columnsOf<SegmentRow>(segmentColumns, schema.segments)
const session = columnsOf<VoiceSessionRow>(voiceSessionColumns, schema.voiceSessions)
const conversation = columnsOf<ConversationRow>(conversationColumns, schema.conversations)
const head: Columns<HeadRow> = { headVersion: 'int8', headSeq: 'int8', headErased: 'timestamptz' }
const outcome = { outcome: 'text' } as const
const nothing: Columns<object> = {}

has<HeadRow>(head, statements.head)
has<ConversationRow>(conversation, statements.conversation, statements.byExternalId)
has<HeadJoined<MessageRow>>(
  { ...head, ...message },
  statements.oldest,
  statements.newest,
  statements.newestTurns,
)
has<MessageRow>(message, statements.turn)
has<HeadJoined<SegmentRow>>(
  { ...head, ...segment },
  statements.segment,
  lists.segments,
  lists.segmentsMore,
)
has<ListedConversationRow>(
  { ...conversation, activity: 'text' },
  lists.conversations,
  lists.conversationsMore,
)
has<ChangeRow>({ kind: 'text', row: 'json' }, changesStatement)
has<SnapshotRow>({ kind: 'text', row: 'json' }, snapshotStatement)
has<VersionRow>({ n: 'int8', version: 'int8', isErased: 'bool' }, versionsStatement)
has<PendingErasureRow>(
  { tenant: 'text', id: 'uuid', version: 'int8', isPast: 'bool' },
  erasureStatements.list,
)
has<object>(nothing, erasureStatements.done)
has<AuditedRow>({ id: 'uuid' }, auditStatements.newest, auditStatements.all)
has<AttachedRow>({ ...message, ...outcome, at: 'int8', partCount: 'int4' }, attachCall)
has<OpenedRow>({ ...message, ...outcome, at: 'int8', head: 'int8' }, seatCalls.open)
has<CompletedRow>(
  {
    ...outcome,
    at: 'int8',
    head: 'int8',
    began: 'bool',
    segment: 'bool',
    human: 'json',
    answer: 'json',
  },
  seatCalls.complete,
)
has<InterruptedRow>(
  { ...message, ...outcome, at: 'int8', partCount: 'int4', characters: 'int4' },
  interruptCall,
)
has<DueRow>(
  { kind: 'text', tenant: 'text', conversationId: 'uuid', session: 'text' },
  lapseStatements.due,
)
has<ExpiredSeatRow>({ ...message, at: 'int8' }, lapseStatements.seats)
has<object>(nothing, lapseStatements.audio, sessionCalls.carryOn, sessionCalls.leave)
has<WrittenSessionRow>(
  { ...session, ...outcome, head: 'int8' },
  sessionCalls.start,
  sessionCalls.end,
)
has<HeadJoined<SessionReportRow>>(
  {
    ...head,
    ...session,
    turns: 'int4',
    audioSeconds: 'int4',
    interruptions: 'int4',
    responseMilliseconds: 'float8',
  },
  sessionReads.get,
)
has<HeadJoined<VoiceSessionRow>>({ ...head, ...session }, sessionReads.list, sessionReads.listMore)
has<WrittenSegmentRow>({ ...segment, ...outcome }, segmentCalls.segment)
has<RecordedRow>(
  {
    n: 'int4',
    ...outcome,
    version: 'int8',
    seq: 'int8',
    head: 'int8',
    turnId: 'uuid',
    urls: 'text[]',
    began: 'bool',
  },
  anyTurns,
  loneTurn,
)
has<FoundRow>(
  { id: 'uuid', seq: 'int8', version: 'int8', head: 'int8', urls: 'text[]', began: 'bool' },
  lookupStatement,
)
has<WrittenConversationRow>(
  { ...conversation, ...outcome },
  conversationCalls.create,
  conversationCalls.patch,
)
has<ErasedRow>(
  { ...outcome, version: 'int8', erasedAt: 'timestamptz', messages: 'int8', segments: 'int8' },
  conversationCalls.erase,
)
has<RightsRow>({ isWritable: 'bool', isReadable: 'bool' }, rightsStatement)
has<object>(nothing, writableCheck, probeTurn)

const exported = await exportedStatements()
let sql: postgres.Sql
beforeAll(async () => {
  const url = await testDatabaseUrl()
  await using database = await openPostgres(url)
  await database.migrate()
  sql = postgres(url, { max: 1, onnotice: () => {}, fetch_types: false })
}, 60_000)
afterAll(() => sql.end({ timeout: 1 }))

test('every statement that the domain exports has a row in the table of this test', () => {
  const missing = [...exported].filter(([, text]) => !table.has(text)).map(([at]) => at)
  expect(missing).toEqual([])
  expect(hiddenStatements(exported)).toEqual([])
  expect(new Set(exported.values()).size).toBe(table.size)
})

test('Postgres prepares every statement, and its columns are those of its row type', async () => {
  for (const [at, text] of exported) {
    // Postgres reads the body of a DO block only when it runs.
    if (text.startsWith('DO ')) {
      await sql.unsafe(text)
      continue
    }
    const { columns } = await sql.unsafe(text).describe()
    const found = columns.map(({ name, type }) => [
      name,
      Object.entries(typesByOid).find(([oid]) => Number(oid) === type)?.[1] ?? `oid ${type}`,
    ])
    expect([at, Object.fromEntries(found)]).toEqual([at, table.get(text)])
    // Two columns of one name would hide each other.
    expect(found).toHaveLength(Object.keys(table.get(text) ?? {}).length)
  }
})
