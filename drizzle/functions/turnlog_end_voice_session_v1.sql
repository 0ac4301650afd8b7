-- Ends a voice session. With p_idle_at, it ends the session only if its lease was over at that time.
CREATE OR REPLACE FUNCTION turnlog_end_voice_session_v1(
  p_tenant text, p_id uuid, p_session text, p_at timestamptz, p_idle_at timestamptz,
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
    RETURN QUERY SELECT 'voice-session-not-found', old.version, s;
  ELSIF s.ended_at IS NOT NULL THEN
    RETURN QUERY SELECT 'voice-session-ended', old.version, s;
  ELSIF p_idle_at IS NOT NULL AND coalesce(s.lease_until > p_idle_at, true) THEN
    RETURN QUERY SELECT 'unchanged', old.version, s;
  ELSE
    UPDATE voice_sessions x SET version = old.version + 1, ended_at = p_at
    WHERE x.conversation_id = p_id AND x.id = p_session RETURNING * INTO s;
    UPDATE conversations c SET version = old.version + 1 WHERE c.id = p_id;
    RETURN QUERY SELECT 'ended', old.version + 1, s;
  END IF;
END $$;
