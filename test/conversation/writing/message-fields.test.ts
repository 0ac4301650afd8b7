/** Every call that writes messages writes every nullable column that a caller can give. */
import { afterAll, expect, test } from 'bun:test'
import { type MessageField, messageFields } from '../../../drizzle/message-fields.ts'
import { fieldsJson, type NewFields } from '../../../src/conversation/sql/new-message.ts'
import { messageColumns } from '../../../src/conversation/sql/rows.ts'
import { newId } from '../../../src/conversation/wire/ids.ts'
import { localPrincipal } from '../../../src/conversation/wire/principal.ts'
import { batchCall, recordCall } from '../../../src/conversation/writing/record-call.ts'
import { type PreparedTurn, prepareTurn } from '../../../src/conversation/writing/turn.ts'
import { freshPglite } from '../../support/servers/databases.ts'

const database = await freshPglite()
await database.migrate()
afterAll(() => database[Symbol.asyncDispose]())

/** The nullable columns that the write functions set by themselves. */
const ownColumns = [
  'answer_seq',
  'heard',
  'idempotency_key',
  'interrupted_at',
  'opened_version',
  'recorded_version',
  'request_hash',
  'seat_until',
  'segment_id',
]

const values: Record<MessageField['type'], unknown> = {
  text: 'a text',
  integer: 7,
  'text[]': ['https://a.test/1', null],
  jsonb: { a: [1] },
  timestamptz: '2026-01-02T03:04:05.000006Z',
}

const fields = Object.entries(messageFields)

/** A value for every field of both halves. */
const full = Object.fromEntries(
  Object.entries(messageColumns).flatMap(([name, column]) => {
    const field = fields.find(([listed]) => listed === column)
    return field === undefined ? [] : [[name, values[field[1].type]]]
  }),
) as NewFields

const expectedOf = (half: 'human' | 'assistant') =>
  Object.fromEntries(
    fields.map(([column, { of, type }]) => [
      column,
      of === half || of === 'both' ? values[type] : null,
    ]),
  )

async function newConversation(): Promise<string> {
  const id = newId()
  await database.query({
    text: `INSERT INTO conversations (id, tenant, version, self_version, last_seq, created_at)
      VALUES ($1::uuid, 'default', 1, 1, 0, now())`,
    params: [id],
  })
  return id
}

/** A turn with every field, also those that the wire does not have yet. */
function fullTurn(conversationId: string): PreparedTurn {
  const empty = prepareTurn(
    localPrincipal,
    conversationId,
    { user: { text: 'Hello' }, assistant: { responses: ['Hello!'] } },
    undefined,
  )
  const { row, json } = empty
  if (row.human === null) throw new Error('no human message')
  const rest = fieldsJson('human', full) + fieldsJson('assistant', full)
  return {
    ...empty,
    row: {
      ...row,
      human: { ...row.human, fields: full },
      assistant: { ...row.assistant, fields: full },
    },
    json: `${json.slice(0, -1)}${rest}}`,
    restJson: `{${rest.slice(1)}}`,
  }
}

const options = { wait: false, lockTimeoutMs: 1000 }

const ways: Record<string, (conversationId: string) => Promise<void>> = {
  'the call for one turn': async (id) => {
    await database.query(recordCall([fullTurn(id)], options))
  },
  'the call for a batch of turns': async (id) => {
    const filler = prepareTurn(
      localPrincipal,
      await newConversation(),
      { assistant: { responses: ['x'] } },
      undefined,
    )
    await database.query({
      text: `INSERT INTO voice_sessions (conversation_id, id, tenant, version, started_at)
        VALUES ($1::uuid, $2, 'default', 1, now())`,
      params: [id, full.voiceSessionId],
    })
    await database.query(recordCall([fullTurn(id), filler], options))
  },
  'the rules for all turns': async (id) => {
    await database.query(batchCall([fullTurn(id)], false, options))
  },
  'the completion of an opened turn': async (id) => {
    await database.query({
      text: `SELECT * FROM turnlog_open_v1(
        'default', $1::uuid, 'k', $2::uuid, now(), now() + interval '1 hour', 8, 1000)`,
      params: [id, newId()],
    })
    const turn = {
      ...{ tenant: 'default', conversation_id: id, key: 'k', received: '2026-01-01T00:00:00Z' },
      ...{ human_hash: '00', human_text: 'Hello', human_message_type: 'audio' },
      ...{ assistant_hash: '00', assistant_id: newId(), assistant_parts: ['Hello!'] },
    }
    const rest = fieldsJson('human', full) + fieldsJson('assistant', full)
    const json = `${JSON.stringify(turn).slice(0, -1)}${rest}}`
    await database.query({
      text: 'SELECT outcome FROM turnlog_complete_v1($1::text::jsonb, 1000)',
      params: [json],
    })
  },
}

test('the list of message fields has every nullable column of the table except those that the functions set', async () => {
  const rows = await database.query<{ name: string }>({
    text: `SELECT column_name::text AS name FROM information_schema.columns
      WHERE table_name = 'conversation_messages' AND is_nullable = 'YES' ORDER BY column_name`,
    params: [],
  })
  expect(rows.map(({ name }) => name)).toEqual(
    [...ownColumns, ...Object.keys(messageFields)].toSorted(),
  )
})

test('every field in the list of message fields has a name on the wire', () => {
  const named: readonly string[] = Object.values(messageColumns)
  expect(fields.filter(([column]) => !named.includes(column))).toEqual([])
})

test.each(Object.keys(ways))('every field of a message is written by %s', async (name) => {
  const id = await newConversation()
  await ways[name]?.(id)
  const columns = fields.map(
    ([column, { type }]) =>
      `'${column}', ${type === 'timestamptz' ? `to_char(m.${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')` : `m.${column}`}`,
  )
  const rows = await database.query<{ row: object }>({
    text: `SELECT json_build_object(${columns.join(', ')}) AS row FROM conversation_messages m
      WHERE m.conversation_id = $1::uuid ORDER BY m.seq`,
    params: [id],
  })
  expect(rows.map(({ row }) => row)).toEqual([expectedOf('human'), expectedOf('assistant')])
})
