/** Makes a Postgres fail or wait on purpose, by a trigger on each new message. */
import type { Database } from '../../src/ports/database.ts'

/** Runs `action`, a statement of plpgsql, before each message is stored. */
export async function onEveryMessage(database: Database, action: string): Promise<void> {
  for (const text of [
    `CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${action}; RETURN NEW; END $$`,
    'CREATE TRIGGER meddle BEFORE INSERT ON conversation_messages FOR EACH ROW EXECUTE FUNCTION meddle()',
  ])
    await database.query({ text, params: [] })
}
