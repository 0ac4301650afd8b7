/** Probes of the database: whether it answers reads, and whether it accepts a turn. */
import type { Database } from '../../ports/database.ts'
import { type DatabaseCode, databaseCodeOf } from '../sql/database-problems.ts'

/** The problem codes with which reads and writes fail now; undefined if they work. */
export type DatabaseState = {
  readonly reads: DatabaseCode | undefined
  readonly writes: DatabaseCode | undefined
}

/**
 * Deadline of a readiness query in milliseconds. It is short, because the caller of `/readyz` has a
 * timeout, too.
 */
const lookDeadlineMs = 1000

/** Looks up the rights on the tables without reading them, so it never waits for a lock. */
export const rightsStatement = `SELECT current_setting('transaction_read_only') = 'off' AS "isWritable",
  has_table_privilege('conversations', 'SELECT')
    AND has_table_privilege('conversation_messages', 'SELECT') AS "isReadable"`

/**
 * Fails as a write would if the session is read-only. The failure makes the adapter replace a
 * session with an outdated setting, and the next query asks a new one.
 */
export const writableCheck = `DO $$ BEGIN
  IF current_setting('transaction_read_only') = 'on' THEN
    RAISE EXCEPTION 'turnlog needs a database that takes writes' USING ERRCODE = '25006';
  END IF;
END $$`

export type RightsRow = { isWritable: boolean; isReadable: boolean }

/**
 * Asks the database whether it reads and writes. Never rejects, and settles within a few seconds.
 */
export async function databaseState(database: Database): Promise<DatabaseState> {
  const ask = <Row extends object>(text: string) =>
    database.query<Row>({ text, params: [] }, { deadlineMs: lookDeadlineMs })
  let reads: DatabaseCode | undefined
  try {
    const [row] = await ask<RightsRow>(rightsStatement)
    if (row?.isReadable !== true) reads = 'database-refused'
    // A standby answers reads and refuses writes. A log of turns is not ready then.
    if (row?.isWritable !== true) await ask(writableCheck)
    return { reads, writes: reads }
  } catch (thrown) {
    const writes = databaseCodeOf(thrown) ?? 'database-refused'
    return { reads: writes === 'database-read-only' ? reads : writes, writes }
  }
}

/**
 * Records a turn in a new conversation, rolls both back to the savepoint of the block, and commits
 * nothing. No other session ever sees a row, and the server logs no error. The answer has 32 KiB
 * that do not compress: a small one would still fit on a full disk for a long time.
 */
export const probeTurn = `DO $$
DECLARE
  c uuid := gen_random_uuid();
  outcomes text[];
  answer text;
BEGIN
  SELECT string_agg(md5(random()::text), '') INTO answer FROM generate_series(1, 1024);
  SELECT array_agg(w.outcome) INTO outcomes
    FROM turnlog_create_v1('default', c, false, NULL, NULL, NULL, '00', now(), 1000) w;
  SELECT outcomes || array_agg(w.outcome) INTO outcomes
    FROM turnlog_record_turn_v1('default', c, NULL, NULL, gen_random_uuid(), 'probe', 'text', now(),
      gen_random_uuid(), ARRAY[answer], now(), NULL, false, 1000) w;
  IF outcomes <> ARRAY['created', 'recorded'] THEN
    RAISE EXCEPTION 'the probe of writes was answered %', outcomes;
  END IF;
  RAISE EXCEPTION USING ERRCODE = 'TLPRB';
EXCEPTION WHEN SQLSTATE 'TLPRB' THEN
  NULL;
END $$`

/** Writes a turn and rolls it back. Returns the error, or undefined if the write worked. */
export async function writeRefusal(database: Database): Promise<unknown> {
  try {
    await database.query({ text: probeTurn, params: [] })
    return undefined
  } catch (thrown) {
    return thrown
  }
}
