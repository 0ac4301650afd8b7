-- Stores how much of an AI message the listener heard. A null takes the report back. A report that is earlier than
-- the stored one, or that says the same, changes nothing. A row with `interrupted_at` and no `heard` has the time
-- at which its report was taken back, so an earlier report does not return.
CREATE OR REPLACE FUNCTION turnlog_interrupt_v1(
  p_tenant text, p_id uuid, p_message uuid, p_heard jsonb, p_at timestamptz, p_at_given boolean,
  p_lock_timeout_ms integer)
RETURNS TABLE (outcome text, version bigint, parts integer, characters integer, message conversation_messages)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  old conversations%ROWTYPE;
  msg conversation_messages%ROWTYPE;
  part_count integer;
  character_count integer;
  is_same boolean;
BEGIN
  PERFORM turnlog_begin_v1(p_lock_timeout_ms);
  SELECT * INTO old FROM conversations c WHERE c.id = p_id AND c.tenant = p_tenant FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN QUERY SELECT 'conversation-not-found', 0::bigint, 0, 0, msg;
    RETURN;
  ELSIF old.erased_at IS NOT NULL THEN
    RETURN QUERY SELECT 'conversation-erased', old.version, 0, 0, msg;
    RETURN;
  END IF;
  SELECT * INTO msg FROM conversation_messages m WHERE m.conversation_id = p_id AND m.id = p_message;
  IF NOT FOUND THEN
    RETURN QUERY SELECT 'message-not-found', old.version, 0, 0, msg;
    RETURN;
  ELSIF msg.role <> 'ai' THEN
    RETURN QUERY SELECT 'message-not-ai', old.version, 0, 0, msg;
    RETURN;
  END IF;
  part_count := cardinality(msg.parts);
  character_count := char_length(array_to_string(msg.parts, ''));
  IF (p_heard->>'parts')::bigint > part_count OR (p_heard->>'characters')::bigint > character_count THEN
    RETURN QUERY SELECT 'heard-out-of-range', old.version, part_count, character_count, msg;
    RETURN;
  END IF;
  is_same := msg.heard IS NOT DISTINCT FROM p_heard;
  IF msg.interrupted_at > p_at
    OR (is_same AND (p_heard IS NULL OR NOT p_at_given OR msg.interrupted_at = p_at)) THEN
    IF is_same AND p_heard IS NULL AND p_at_given THEN
      UPDATE conversation_messages m SET interrupted_at = p_at
      WHERE m.conversation_id = p_id AND m.seq = msg.seq AND (m.interrupted_at < p_at OR m.interrupted_at IS NULL);
    END IF;
    RETURN QUERY SELECT 'unchanged', old.version, part_count, character_count, msg;
    RETURN;
  END IF;
  UPDATE conversation_messages m SET version = old.version + 1, heard = p_heard, interrupted_at = p_at
  WHERE m.conversation_id = p_id AND m.seq = msg.seq
  RETURNING * INTO msg;
  UPDATE conversations c SET version = old.version + 1 WHERE c.id = p_id;
  RETURN QUERY SELECT 'interrupted', old.version + 1, part_count, character_count, msg;
END $$;
