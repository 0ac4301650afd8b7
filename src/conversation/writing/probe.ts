/** Readiness of the database: what it answers when it is asked, and whether it takes a turn. */
import type { Database } from '../../ports/database.ts'
import { type DatabaseCode, databaseCodeOf } from '../sql/database-problems.ts'

/** Why reads and writes fail now; undefined where they work. */
export type DatabaseState = {
  readonly reads: DatabaseCode | undefined
  readonly writes: DatabaseCode | undefined
}

/** How long readiness waits for the database: a probe has a deadline of its own. */
const lookDeadlineMs = 1000

/** Neither waits for a lock: the rights of a table are looked up without touching it. */
export const rightsStatement = `SELECT current_setting('transaction_read_only') = 'off' AS "isWritable",
  has_table_privilege('conversations', 'SELECT')
    AND has_table_privilege('conversation_messages', 'SELECT') AS "isReadable"`

/** Fails as a write would: so a session that kept an old setting is replaced, and another is asked. */
export const writableCheck = `DO $$ BEGIN
  IF current_setting('transaction_read_only') = 'on' THEN
    RAISE EXCEPTION 'turnlog needs a database that takes writes' USING ERRCODE = '25006';
  END IF;
END $$`

export type RightsRow = { isWritable: boolean; isReadable: boolean }

/** Asks the database. Never rejects, and settles within some seconds. */
export async function databaseState(database: Database): Promise<DatabaseState> {
  const ask = <Row extends object>(text: string) =>
    database.query<Row>({ text, params: [] }, { deadlineMs: lookDeadlineMs })
  let reads: DatabaseCode | undefined
  try {
    const [row] = await ask<RightsRow>(rightsStatement)
    if (row?.isReadable !== true) reads = 'database-refused'
    // A standby answers and takes no write: for a log of turns that is not up.
    if (row?.isWritable !== true) await ask(writableCheck)
    return { reads, writes: reads }
  } catch (thrown) {
    const writes = databaseCodeOf(thrown) ?? 'database-refused'
    return { reads: writes === 'database-read-only' ? reads : writes, writes }
  }
}

/**
 * A turn on a conversation made for it, both rolled back to a savepoint (the block's), and then a commit
 * of nothing: nobody ever sees a row, and the server's log stays clean. Its answer has 32 KiB that do not
 * compress: a small one would find its place on a full disk for long.
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

/** Writes a turn and takes it back. Answers what was thrown; undefined where it was written. */
export async function writeRefusal(database: Database): Promise<unknown> {
  try {
    await database.query({ text: probeTurn, params: [] })
    return undefined
  } catch (thrown) {
    return thrown
  }
}
