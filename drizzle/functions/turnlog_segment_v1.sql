-- Creates a segment, or returns the existing one.
CREATE OR REPLACE FUNCTION turnlog_segment_v1(
  p_tenant text, p_id uuid, p_segment uuid, p_at timestamptz, p_lock_timeout_ms integer)
RETURNS TABLE (outcome text, segment segments)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  old conversations%ROWTYPE;
  seg segments%ROWTYPE;
BEGIN
  PERFORM turnlog_begin_v1(p_lock_timeout_ms);
  SELECT * INTO old FROM conversations c WHERE c.id = p_id AND c.tenant = p_tenant FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN QUERY SELECT 'conversation-not-found', seg;
    RETURN;
  ELSIF old.erased_at IS NOT NULL THEN
    RETURN QUERY SELECT 'conversation-erased', seg;
    RETURN;
  END IF;
  SELECT * INTO seg FROM segments s WHERE s.conversation_id = p_id AND s.id = p_segment;
  IF FOUND THEN
    RETURN QUERY SELECT 'existing', seg;
  ELSE
    INSERT INTO segments (conversation_id, id, tenant, version, created_at, updated_at)
    VALUES (p_id, p_segment, p_tenant, old.version + 1, p_at, p_at)
    RETURNING * INTO seg;
    UPDATE conversations c SET version = old.version + 1 WHERE c.id = p_id;
    RETURN QUERY SELECT 'created', seg;
  END IF;
END $$;
