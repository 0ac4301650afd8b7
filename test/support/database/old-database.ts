/**
 * A database of the seven migrations before the first release, with content that their functions
 * recorded.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { readMigrations } from '../../../adapters/database/migration-state.ts'
import { requestHash } from '../../../src/conversation/writing/turn.ts'
import type { Database, Param } from '../../../src/ports/database.ts'

const root = join(import.meta.dir, '../../..')
const folder = join(import.meta.dir, '../../fixtures/old-migrations')

/** The last commit with the seven migrations. */
const oldCommit = '09d0654'

/** Runs the seven migrations and records them as drizzle's migrator did. */
export async function makeOld(database: Database): Promise<void> {
  const run = (text: string) => database.query({ text, params: [] })
  await run('create schema drizzle')
  await run(
    'create table drizzle.__drizzle_migrations (id serial primary key, hash text not null, created_at bigint)',
  )
  for (const { statements, hash, when } of readMigrations(folder)) {
    // `LOCK TABLE` is left out: if several nodes may connect, it holds only within its transaction.
    for (const text of statements.filter((each) => !/^LOCK TABLE/m.test(each))) await run(text)
    await run(
      `insert into drizzle.__drizzle_migrations (hash, created_at) values ('${hash}', ${when})`,
    )
  }
}

/** The body of the turn `k1`. Its retry must be recognised, and another body refused. */
export const recordedBody = { user: { text: 'one' }, assistant: { responses: ['two'] } }

export type OldConversation = {
  readonly id: string
  readonly segment: string
}

/**
 * Records content with the old functions: a turn with the key `k1`, a turn by the function for
 * single turns, a turn with a segment and its own voice session, a seat with the key `seat`, a
 * completed seat, a voice session, and audio that waits for the turn with the key `audio`.
 */
export async function fillOld(database: Database): Promise<OldConversation> {
  const id = crypto.randomUUID()
  const segment = crypto.randomUUID()
  const call = (text: string, ...params: Param[]) =>
    database.query({ text: `select * from ${text}`, params })
  const record = (turn: object) =>
    call(
      'turnlog_record_v2($1::text::jsonb, true, 1000)',
      JSON.stringify([{ n: 0, tenant: 'default', c: id, ...turn }]),
    )
  const at = {
    h_at: '2026-11-01T00:00:00Z',
    a_at: '2026-11-01T00:00:01Z',
    received: '2026-11-01T00:00:00Z',
  }
  await call(
    `turnlog_create_v1('default', $1::uuid, true, 'outside', 'Old', '{"a": 1}', '00', '2026-11-01', 1000)`,
    id,
  )
  await record({
    ...at,
    key: 'k1',
    hash: requestHash(recordedBody),
    h_id: crypto.randomUUID(),
    h_text: 'one',
    h_type: 'text',
    a_id: crypto.randomUUID(),
    a_parts: ['two'],
  })
  await call(
    `turnlog_record_one_v1('default', $1::uuid, 'k2', '00', $2::uuid, 'three', 'text', null,
      '2026-11-01 00:00:02Z', $3::uuid, '{four}', null, null, '2026-11-01 00:00:03Z', 1000)`,
    id,
    crypto.randomUUID(),
    crypto.randomUUID(),
  )
  await call(
    `turnlog_segment_v1('default', $1::uuid, $2::uuid, '2026-11-01 00:00:04Z', 1000)`,
    id,
    segment,
  )
  await record({
    ...at,
    h_id: crypto.randomUUID(),
    h_text: 'five',
    h_type: 'audio',
    h_session: 'spoken',
    a_id: crypto.randomUUID(),
    a_parts: ['six'],
    a_urls: ['https://a/6'],
    segment,
    agent_response: 'six',
  })
  const open = (key: string) =>
    call(
      `turnlog_open_v1('default', $1::uuid, $2, $3::uuid, '2026-11-01 00:00:05Z', '2100-01-01', 5, 1000)`,
      id,
      key,
      crypto.randomUUID(),
    )
  await open('whole')
  await call(
    'turnlog_complete_v1($1::text::jsonb, 1000)',
    JSON.stringify({
      tenant: 'default',
      c: id,
      key: 'whole',
      u_hash: '00',
      u_text: 'seven',
      u_type: 'text',
      a_hash: '00',
      a_id: crypto.randomUUID(),
      a_parts: ['eight'],
    }),
  )
  await open('seat')
  await call(
    `turnlog_start_voice_session_v1('default', $1::uuid, 'call', '{"b": 2}', '2026-11-01 00:00:06Z', null, 1000)`,
    id,
  )
  await call(
    `turnlog_attach_v2('default', $1::uuid, null, 'audio', null, 0, 'https://a/early',
      sha256('early'), null, false, '2026-11-01', '2100-01-01', 4, 1000)`,
    id,
  )
  return { id, segment }
}

/**
 * Writes the code of the last commit with the seven migrations into a directory. Returns false if
 * the history of this checkout does not have that commit.
 */
export function checkOutOld(directory: string): boolean {
  mkdirSync(directory, { recursive: true })
  const archive = `git -C "$1" archive ${oldCommit} package.json src adapters drizzle | tar -x -C "$2"`
  const { status } = spawnSync(
    'bash',
    ['-o', 'pipefail', '-c', archive, 'bash', root, directory],
    {},
  )
  if (status !== 0) return false
  symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'))
  return true
}
