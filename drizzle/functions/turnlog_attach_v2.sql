-- Attaches audio to the answer of the turn with the key p_key, to the AI message p_message, or to the latest AI
-- message. p_urls replaces all URLs; without p_urls, p_url sets the URL of part p_part. Audio that arrives before its
-- turn is held until p_held_until. A call that changes nothing takes no version.
CREATE OR REPLACE FUNCTION turnlog_attach_v2(
  p_tenant text, p_id uuid, p_message uuid, p_key text, p_urls text[], p_part integer, p_url text,
  p_text_hash bytea, p_segment uuid, p_update_segment boolean, p_at timestamptz, p_held_until timestamptz,
  p_held_max integer, p_lock_timeout_ms integer)
RETURNS TABLE (outcome text, version bigint, parts integer, message conversation_messages)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  old conversations%ROWTYPE;
  msg conversation_messages%ROWTYPE;
  seg segments%ROWTYPE;
  urls text[] := p_urls;
  message_changes boolean;
  segment_changes boolean := false;
BEGIN
  PERFORM turnlog_begin_v1(p_lock_timeout_ms);
  SELECT * INTO old FROM conversations c WHERE c.id = p_id AND c.tenant = p_tenant FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN QUERY SELECT 'conversation-not-found', 0::bigint, 0, msg;
    RETURN;
  ELSIF old.erased_at IS NOT NULL THEN
    RETURN QUERY SELECT 'conversation-erased', old.version, 0, msg;
    RETURN;
  END IF;
  IF p_key IS NOT NULL THEN
    SELECT a.* INTO msg FROM conversation_messages f
    CROSS JOIN LATERAL (
      SELECT * FROM conversation_messages a
      WHERE a.conversation_id = p_id
        AND a.seq = CASE WHEN f.role = 'ai' THEN f.seq WHEN f.opened_version IS NULL THEN f.seq + 1 ELSE f.answer_seq END
      LIMIT 1
    ) a
    WHERE f.conversation_id = p_id AND f.idempotency_key = p_key;
    IF NOT FOUND THEN
      -- The audio arrived before its turn. The function that records the turn will find it here.
      IF (SELECT count(*) FROM held_audio h WHERE h.conversation_id = p_id
            AND NOT (h.key = p_key AND h.part = p_part)) >= p_held_max THEN
        RETURN QUERY SELECT 'held-audio-too-much', old.version, 0, msg;
        RETURN;
      END IF;
      INSERT INTO held_audio (conversation_id, key, part, tenant, text_hash, url, expires_at)
      VALUES (p_id, p_key, p_part, p_tenant, p_text_hash, p_url, p_held_until)
      ON CONFLICT (conversation_id, key, part) DO UPDATE SET
        text_hash = excluded.text_hash, url = excluded.url, expires_at = excluded.expires_at;
      RETURN QUERY SELECT 'held', old.version, 0, msg;
      RETURN;
    END IF;
  ELSIF p_message IS NULL THEN
    -- Only opened turns without an answer can follow the latest AI message, so the scan from the end is short.
    SELECT * INTO msg FROM conversation_messages m
    WHERE m.conversation_id = p_id AND m.role = 'ai' ORDER BY m.seq DESC LIMIT 1;
  ELSE
    SELECT * INTO msg FROM conversation_messages m WHERE m.conversation_id = p_id AND m.id = p_message;
  END IF;
  IF NOT FOUND THEN
    RETURN QUERY SELECT CASE WHEN p_message IS NULL THEN 'nothing' ELSE 'message-not-found' END,
      old.version, 0, msg;
    RETURN;
  ELSIF msg.role <> 'ai' THEN
    RETURN QUERY SELECT 'message-not-ai', old.version, 0, msg;
    RETURN;
  ELSIF p_urls IS NULL AND p_part >= cardinality(msg.parts) THEN
    RETURN QUERY SELECT 'part-out-of-range', old.version, cardinality(msg.parts), msg;
    RETURN;
  END IF;
  IF p_text_hash IS NOT NULL AND p_text_hash <> sha256(convert_to(msg.parts[p_part + 1], 'UTF8')) THEN
    RETURN QUERY SELECT 'audio-stale', old.version, cardinality(msg.parts), msg;
    RETURN;
  END IF;
  IF p_segment IS NOT NULL THEN
    SELECT * INTO seg FROM segments s WHERE s.conversation_id = p_id AND s.id = p_segment;
    IF NOT FOUND THEN
      RETURN QUERY SELECT 'segment-not-found', old.version, 0, msg;
      RETURN;
    END IF;
  END IF;
  IF p_urls IS NULL THEN
    urls := coalesce(msg.tts_audio_urls, '{}');
    WHILE cardinality(urls) <= p_part LOOP
      urls := array_append(urls, NULL);
    END LOOP;
    urls[p_part + 1] := p_url;
  END IF;
  message_changes := msg.tts_audio_urls IS DISTINCT FROM urls
    OR (p_segment IS NOT NULL AND msg.segment_id IS DISTINCT FROM p_segment);
  segment_changes := p_segment IS NOT NULL AND p_update_segment AND seg.tts_audio_urls IS DISTINCT FROM urls;
  IF NOT message_changes AND NOT segment_changes THEN
    RETURN QUERY SELECT 'unchanged', old.version, cardinality(msg.parts), msg;
    RETURN;
  END IF;
  IF message_changes THEN
    UPDATE conversation_messages m SET version = old.version + 1, tts_audio_urls = urls,
      segment_id = coalesce(p_segment, m.segment_id)
    WHERE m.conversation_id = p_id AND m.seq = msg.seq
    RETURNING * INTO msg;
  END IF;
  IF segment_changes THEN
    UPDATE segments s SET version = old.version + 1, tts_audio_urls = urls, updated_at = p_at
    WHERE s.conversation_id = p_id AND s.id = p_segment;
  END IF;
  UPDATE conversations c SET version = old.version + 1 WHERE c.id = p_id;
  RETURN QUERY SELECT 'attached', old.version + 1, cardinality(msg.parts), msg;
END $$;
