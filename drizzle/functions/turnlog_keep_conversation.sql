-- Refuses to delete a conversation that has messages, or to change its id. Messages have no foreign key to their
-- conversation: the key looked the conversation up for each message, although every writer of messages holds the lock
-- of that row. This trigger refuses the changes of conversations that the foreign key would refuse.
CREATE OR REPLACE FUNCTION turnlog_keep_conversation() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  IF (SELECT true FROM conversation_messages m WHERE m.conversation_id = OLD.id LIMIT 1) THEN
    RAISE EXCEPTION 'conversation % has messages', OLD.id USING ERRCODE = 'foreign_key_violation';
  END IF;
  IF TG_OP = 'DELETE' THEN
    RETURN OLD;
  END IF;
  RETURN NEW;
END $$;
--> statement-breakpoint
CREATE OR REPLACE TRIGGER conversations_keep BEFORE DELETE OR UPDATE OF id ON conversations
FOR EACH ROW EXECUTE FUNCTION turnlog_keep_conversation();
