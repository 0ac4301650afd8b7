-- Fills the human half of an opened turn, its AI half, or both. A half that is there already must be
-- the same one. `human` and `answer` are the rows as they are then; `began`: a voice session began.
CREATE OR REPLACE FUNCTION turnlog_complete_v1(p_turn jsonb, p_lock_timeout_ms integer)
RETURNS TABLE (
  outcome text, version bigint, head bigint, began boolean, segment boolean,
  human conversation_messages, answer conversation_messages)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  t record;
  old conversations%ROWTYPE;
  h conversation_messages%ROWTYPE;
  a conversation_messages%ROWTYPE;
  fills_human boolean;
  fills_answer boolean;
  session_began boolean := false;
  segment_completed boolean := false;
  v bigint;
BEGIN
  PERFORM turnlog_begin_v1(p_lock_timeout_ms);
  SELECT * INTO t FROM jsonb_to_record(p_turn) AS t(
    tenant text, c uuid, key text, u_hash text, u_text text, u_type text, u_session text, u_seconds integer,
    u_metadata jsonb, u_at timestamptz, u_ended timestamptz,
    a_hash text, a_id uuid, a_parts text[], a_urls text[], a_trace jsonb, a_metadata jsonb,
    a_at timestamptz, a_first timestamptz, segment uuid, agent_response text, received timestamptz);
  SELECT * INTO old FROM conversations c WHERE c.id = t.c AND c.tenant = t.tenant FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN QUERY SELECT 'conversation-not-found', 0::bigint, 0::bigint, false, false, h, a;
    RETURN;
  ELSIF old.erased_at IS NOT NULL THEN
    RETURN QUERY SELECT 'conversation-erased', 0::bigint, old.version, false, false, h, a;
    RETURN;
  END IF;
  SELECT * INTO h FROM conversation_messages m WHERE m.conversation_id = t.c AND m.idempotency_key = t.key;
  IF NOT FOUND THEN
    RETURN QUERY SELECT 'turn-not-open', 0::bigint, old.version, false, false, h, a;
    RETURN;
  ELSIF h.opened_version IS NULL THEN
    RETURN QUERY SELECT 'idempotency-conflict', 0::bigint, old.version, false, false, h, a;
    RETURN;
  END IF;
  IF h.answer_seq IS NOT NULL THEN
    SELECT * INTO a FROM conversation_messages m WHERE m.conversation_id = t.c AND m.seq = h.answer_seq;
  END IF;
  IF (h.state = 'filled' AND h.request_hash <> decode(t.u_hash, 'hex'))
    OR (a.id IS NOT NULL AND a.request_hash <> decode(t.a_hash, 'hex')) THEN
    RETURN QUERY SELECT 'idempotency-conflict', 0::bigint, old.version, false, false, h, a;
    RETURN;
  END IF;
  fills_human := t.u_hash IS NOT NULL AND h.state <> 'filled';
  fills_answer := t.a_hash IS NOT NULL AND a.id IS NULL;
  IF NOT fills_human AND NOT fills_answer THEN
    RETURN QUERY SELECT 'replayed', greatest(
        CASE WHEN t.u_hash IS NOT NULL THEN h.recorded_version END,
        CASE WHEN t.a_hash IS NOT NULL THEN a.recorded_version END),
      old.version, false, false, h, a;
    RETURN;
  END IF;
  v := old.version + 1;
  IF fills_answer THEN
    IF t.segment IS NOT NULL THEN
      PERFORM 1 FROM segments s WHERE s.conversation_id = t.c AND s.id = t.segment;
      IF NOT FOUND THEN
        RETURN QUERY SELECT 'segment-not-found', 0::bigint, old.version, false, false, h, a;
        RETURN;
      END IF;
    END IF;
    PERFORM 1 FROM conversation_messages m WHERE m.conversation_id = t.c AND m.id = t.a_id;
    IF FOUND THEN
      RETURN QUERY SELECT 'id-taken', 0::bigint, old.version, false, false, h, a;
      RETURN;
    END IF;
  END IF;
  IF fills_human THEN
    UPDATE conversation_messages m SET version = v, state = 'filled', parts = ARRAY[t.u_text],
      message_type = t.u_type, voice_session_id = t.u_session, duration_seconds = t.u_seconds,
      metadata = t.u_metadata, created_at = coalesce(t.u_at, m.created_at), speech_ended_at = t.u_ended,
      request_hash = decode(t.u_hash, 'hex'), recorded_version = v
    WHERE m.conversation_id = t.c AND m.seq = h.seq
    RETURNING * INTO h;
    IF t.u_session IS NOT NULL THEN
      INSERT INTO voice_sessions (conversation_id, id, tenant, version, started_at)
      VALUES (t.c, t.u_session, t.tenant, v, h.created_at)
      ON CONFLICT DO NOTHING;
      session_began := FOUND;
    END IF;
  END IF;
  IF fills_answer THEN
    INSERT INTO conversation_messages (
      conversation_id, seq, id, tenant, turn_id, version, role, parts, message_type, segment_id,
      tts_audio_urls, memory_retrieval_trace, metadata, created_at, request_hash, recorded_version,
      first_audio_at)
    VALUES (
      t.c, old.last_seq + 1, t.a_id, t.tenant, h.turn_id, v, 'ai', t.a_parts, 'text', t.segment,
      turnlog_join_audio_v1(t.c, t.key, t.a_parts, t.a_urls), t.a_trace, t.a_metadata,
      coalesce(t.a_at, h.created_at + interval '1 microsecond'), decode(t.a_hash, 'hex'), v, t.a_first)
    RETURNING * INTO a;
    DELETE FROM held_audio x WHERE x.conversation_id = t.c AND x.key = t.key;
    UPDATE conversation_messages m SET answer_seq = a.seq,
      version = CASE WHEN t.segment IS NULL THEN m.version ELSE v END,
      segment_id = coalesce(t.segment, m.segment_id)
    WHERE m.conversation_id = t.c AND m.seq = h.seq
    RETURNING * INTO h;
    IF t.agent_response IS NOT NULL THEN
      UPDATE segments s SET version = v, user_message_id = h.id, agent_response = t.agent_response,
        lineage = jsonb_build_object('conversationId', t.c, 'userMessageId', h.id,
          'assistantMessageId', a.id, 'segmentIds', jsonb_build_array(t.segment)),
        updated_at = t.received
      WHERE s.conversation_id = t.c AND s.id = t.segment;
      segment_completed := true;
    END IF;
  END IF;
  UPDATE conversations c SET version = v,
    last_seq = CASE WHEN fills_answer THEN a.seq ELSE c.last_seq END,
    last_message_at = greatest(c.last_message_at,
      CASE WHEN fills_human THEN h.created_at END, CASE WHEN fills_answer THEN a.created_at END)
  WHERE c.id = t.c;
  RETURN QUERY SELECT 'completed', v, v, session_began, segment_completed, h, a;
END $$;
