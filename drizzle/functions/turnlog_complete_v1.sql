-- Fills the human half of an opened turn, its AI half, or both. A half that is filled already must be the same.
-- It returns the rows of both halves as they are afterwards in `human` and `answer`; `began` says that a voice
-- session began.
CREATE OR REPLACE FUNCTION turnlog_complete_v1(p_turn jsonb, p_lock_timeout_ms integer)
RETURNS TABLE (
  outcome text, version bigint, head bigint, began boolean, segment boolean,
  human conversation_messages, answer conversation_messages)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  t record;
  old conversations%ROWTYPE;
  human_row conversation_messages%ROWTYPE;
  answer_row conversation_messages%ROWTYPE;
  fills_human boolean;
  fills_answer boolean;
  session_began boolean := false;
  segment_completed boolean := false;
  v bigint;
BEGIN
  PERFORM turnlog_begin_v1(p_lock_timeout_ms);
  SELECT * INTO t FROM jsonb_to_record(p_turn) AS t(
    tenant text, conversation_id uuid, key text,
    human_hash text, human_text text, human_message_type text, human_created_at timestamptz,
    assistant_hash text, assistant_id uuid, assistant_parts text[], assistant_created_at timestamptz,
    segment uuid, agent_response text, received timestamptz, {{definitions}});
  SELECT * INTO old FROM conversations c WHERE c.id = t.conversation_id AND c.tenant = t.tenant FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN QUERY SELECT 'conversation-not-found', 0::bigint, 0::bigint, false, false, human_row, answer_row;
    RETURN;
  ELSIF old.erased_at IS NOT NULL THEN
    RETURN QUERY SELECT 'conversation-erased', 0::bigint, old.version, false, false, human_row, answer_row;
    RETURN;
  END IF;
  SELECT * INTO human_row FROM conversation_messages m
  WHERE m.conversation_id = t.conversation_id AND m.idempotency_key = t.key;
  IF NOT FOUND THEN
    RETURN QUERY SELECT 'turn-not-open', 0::bigint, old.version, false, false, human_row, answer_row;
    RETURN;
  ELSIF human_row.opened_version IS NULL THEN
    RETURN QUERY SELECT 'idempotency-conflict', 0::bigint, old.version, false, false, human_row, answer_row;
    RETURN;
  END IF;
  IF human_row.answer_seq IS NOT NULL THEN
    SELECT * INTO answer_row FROM conversation_messages m
    WHERE m.conversation_id = t.conversation_id AND m.seq = human_row.answer_seq;
  END IF;
  IF (human_row.state = 'filled' AND human_row.request_hash <> decode(t.human_hash, 'hex'))
    OR (answer_row.id IS NOT NULL AND answer_row.request_hash <> decode(t.assistant_hash, 'hex')) THEN
    RETURN QUERY SELECT 'idempotency-conflict', 0::bigint, old.version, false, false, human_row, answer_row;
    RETURN;
  END IF;
  fills_human := t.human_hash IS NOT NULL AND human_row.state <> 'filled';
  fills_answer := t.assistant_hash IS NOT NULL AND answer_row.id IS NULL;
  IF NOT fills_human AND NOT fills_answer THEN
    RETURN QUERY SELECT 'replayed', greatest(
        CASE WHEN t.human_hash IS NOT NULL THEN human_row.recorded_version END,
        CASE WHEN t.assistant_hash IS NOT NULL THEN answer_row.recorded_version END),
      old.version, false, false, human_row, answer_row;
    RETURN;
  END IF;
  v := old.version + 1;
  IF fills_answer THEN
    IF t.segment IS NOT NULL THEN
      PERFORM 1 FROM segments s WHERE s.conversation_id = t.conversation_id AND s.id = t.segment;
      IF NOT FOUND THEN
        RETURN QUERY SELECT 'segment-not-found', 0::bigint, old.version, false, false, human_row, answer_row;
        RETURN;
      END IF;
    END IF;
    PERFORM 1 FROM conversation_messages m WHERE m.conversation_id = t.conversation_id AND m.id = t.assistant_id;
    IF FOUND THEN
      RETURN QUERY SELECT 'id-taken', 0::bigint, old.version, false, false, human_row, answer_row;
      RETURN;
    END IF;
  END IF;
  IF fills_human THEN
    UPDATE conversation_messages m SET version = v, state = 'filled', parts = ARRAY[t.human_text],
      message_type = t.human_message_type, created_at = coalesce(t.human_created_at, m.created_at),
      request_hash = decode(t.human_hash, 'hex'), recorded_version = v, ({{columns}}) = ROW({{human t}})
    WHERE m.conversation_id = t.conversation_id AND m.seq = human_row.seq
    RETURNING * INTO human_row;
    IF t.human_voice_session_id IS NOT NULL THEN
      INSERT INTO voice_sessions (conversation_id, id, tenant, version, started_at)
      VALUES (t.conversation_id, t.human_voice_session_id, t.tenant, v, human_row.created_at)
      ON CONFLICT DO NOTHING;
      session_began := FOUND;
    END IF;
  END IF;
  IF fills_answer THEN
    t.assistant_tts_audio_urls :=
      turnlog_join_audio_v1(t.conversation_id, t.key, t.assistant_parts, t.assistant_tts_audio_urls);
    INSERT INTO conversation_messages (
      conversation_id, seq, id, tenant, turn_id, version, role, parts, message_type, segment_id, created_at,
      request_hash, recorded_version, {{columns}})
    VALUES (
      t.conversation_id, old.last_seq + 1, t.assistant_id, t.tenant, human_row.turn_id, v, 'ai',
      t.assistant_parts, 'text', t.segment, coalesce(t.assistant_created_at, human_row.created_at + interval '1 microsecond'),
      decode(t.assistant_hash, 'hex'), v, {{assistant t}})
    RETURNING * INTO answer_row;
    DELETE FROM held_audio x WHERE x.conversation_id = t.conversation_id AND x.key = t.key;
    UPDATE conversation_messages m SET answer_seq = answer_row.seq,
      version = CASE WHEN t.segment IS NULL THEN m.version ELSE v END,
      segment_id = coalesce(t.segment, m.segment_id)
    WHERE m.conversation_id = t.conversation_id AND m.seq = human_row.seq
    RETURNING * INTO human_row;
    IF t.agent_response IS NOT NULL THEN
      UPDATE segments s SET version = v, user_message_id = human_row.id, agent_response = t.agent_response,
        lineage = jsonb_build_object('conversationId', t.conversation_id, 'userMessageId', human_row.id,
          'assistantMessageId', answer_row.id, 'segmentIds', jsonb_build_array(t.segment)),
        updated_at = t.received
      WHERE s.conversation_id = t.conversation_id AND s.id = t.segment;
      segment_completed := true;
    END IF;
  END IF;
  UPDATE conversations c SET version = v,
    last_seq = CASE WHEN fills_answer THEN answer_row.seq ELSE c.last_seq END,
    last_message_at = greatest(c.last_message_at,
      CASE WHEN fills_human THEN human_row.created_at END, CASE WHEN fills_answer THEN answer_row.created_at END)
  WHERE c.id = t.conversation_id;
  RETURN QUERY SELECT 'completed', v, v, session_began, segment_completed, human_row, answer_row;
END $$;
