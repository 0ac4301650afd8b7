-- Starts a voice session, or returns the existing one. A session that a turn made has no metadata, and gets p_metadata.
CREATE OR REPLACE FUNCTION turnlog_start_voice_session_v1(
  p_tenant text, p_id uuid, p_session text, p_metadata jsonb, p_at timestamptz, p_lease_until timestamptz,
  p_lock_timeout_ms integer)
RETURNS TABLE (outcome text, head bigint, session voice_sessions)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  old conversations%ROWTYPE;
  s voice_sessions%ROWTYPE;
BEGIN
  PERFORM turnlog_begin_v1(p_lock_timeout_ms);
  SELECT * INTO old FROM conversations c WHERE c.id = p_id AND c.tenant = p_tenant FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN QUERY SELECT 'conversation-not-found', 0::bigint, s;
    RETURN;
  ELSIF old.erased_at IS NOT NULL THEN
    RETURN QUERY SELECT 'conversation-erased', old.version, s;
    RETURN;
  END IF;
  SELECT * INTO s FROM voice_sessions x WHERE x.conversation_id = p_id AND x.id = p_session;
  IF NOT FOUND THEN
    INSERT INTO voice_sessions (conversation_id, id, tenant, version, metadata, started_at, lease_until)
    VALUES (p_id, p_session, p_tenant, old.version + 1, p_metadata, p_at, p_lease_until)
    RETURNING * INTO s;
    UPDATE conversations c SET version = old.version + 1 WHERE c.id = p_id;
    RETURN QUERY SELECT 'started', old.version + 1, s;
    RETURN;
  END IF;
  IF s.ended_at IS NOT NULL THEN
    RETURN QUERY SELECT 'voice-session-ended', old.version, s;
    RETURN;
  ELSIF p_metadata IS NOT NULL AND s.metadata IS NOT NULL AND s.metadata <> p_metadata THEN
    RETURN QUERY SELECT 'voice-session-taken', old.version, s;
    RETURN;
  END IF;
  IF p_lease_until IS NOT NULL THEN
    -- A longer lease is no change of the conversation, so it takes no version.
    UPDATE voice_sessions x SET lease_until = greatest(x.lease_until, p_lease_until)
    WHERE x.conversation_id = p_id AND x.id = p_session RETURNING * INTO s;
  END IF;
  IF p_metadata IS NULL OR s.metadata IS NOT NULL THEN
    RETURN QUERY SELECT 'existing', old.version, s;
    RETURN;
  END IF;
  UPDATE voice_sessions x SET version = old.version + 1, metadata = p_metadata
  WHERE x.conversation_id = p_id AND x.id = p_session RETURNING * INTO s;
  UPDATE conversations c SET version = old.version + 1 WHERE c.id = p_id;
  RETURN QUERY SELECT 'declared', old.version + 1, s;
END $$;
