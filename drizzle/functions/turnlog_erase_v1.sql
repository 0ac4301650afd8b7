-- Deletes the content of a conversation and keeps its row, so that the id is never used again. A repeated erasure
-- returns the receipt of the first one.
CREATE OR REPLACE FUNCTION turnlog_erase_v1(p_tenant text, p_id uuid, p_at timestamptz, p_lock_timeout_ms integer)
RETURNS TABLE (outcome text, version bigint, erased_at timestamptz, messages bigint, segments bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  old conversations%ROWTYPE;
  deleted_messages bigint;
  deleted_segments bigint;
BEGIN
  PERFORM turnlog_begin_v1(p_lock_timeout_ms);
  SELECT * INTO old FROM conversations c WHERE c.id = p_id AND c.tenant = p_tenant FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN QUERY SELECT 'conversation-not-found', 0::bigint, p_at, 0::bigint, 0::bigint;
  ELSIF old.erased_at IS NOT NULL THEN
    RETURN QUERY SELECT 'existing', old.version, old.erased_at, old.erased_messages, old.erased_segments;
  ELSE
    -- Messages and segments refer to each other, so one statement deletes both.
    WITH s AS (
      DELETE FROM segments s WHERE s.conversation_id = p_id RETURNING 1
    ), m AS (
      DELETE FROM conversation_messages m WHERE m.conversation_id = p_id RETURNING 1
    )
    SELECT (SELECT count(*) FROM m), (SELECT count(*) FROM s) INTO deleted_messages, deleted_segments;
    DELETE FROM voice_sessions v WHERE v.conversation_id = p_id;
    DELETE FROM held_audio h WHERE h.conversation_id = p_id;
    DELETE FROM conversation_external_ids x WHERE x.tenant = p_tenant AND x.external_id = old.external_id;
    UPDATE conversations c SET version = old.version + 1, self_version = old.version + 1,
      external_id = NULL, title = NULL, metadata = NULL, request_hash = NULL,
      erased_at = p_at, erased_messages = deleted_messages, erased_segments = deleted_segments
    WHERE c.id = p_id;
    -- This row stays until the cache has confirmed that it holds nothing of the conversation.
    INSERT INTO cache_erasures (tenant, conversation_id, version, erased_at)
      VALUES (p_tenant, p_id, old.version + 1, p_at);
    RETURN QUERY SELECT 'erased', old.version + 1, p_at, deleted_messages, deleted_segments;
  END IF;
END $$;
