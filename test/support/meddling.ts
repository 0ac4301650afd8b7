/** A Postgres that fails or waits on purpose: a trigger at every new message. */
import type { Database } from '../../src/ports/database.ts'

/** `action` is a statement of plpgsql, run before each message is stored. */
export async function onEveryMessage(database: Database, action: string): Promise<void> {
  for (const text of [
    `CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${action}; RETURN NEW; END $$`,
    'CREATE TRIGGER meddle BEFORE INSERT ON conversation_messages FOR EACH ROW EXECUTE FUNCTION meddle()',
  ])
    await database.query({ text, params: [] })
}
