-- Generated from drizzle/functions by `bun run db:functions`: change a function there.

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
--> statement-breakpoint
-- Begins every write. It sets how long the write waits for a lock, makes its plans use indexes, and makes its commit
-- durable. The settings last until the end of the transaction, which is the end of the call.
CREATE OR REPLACE FUNCTION turnlog_begin_v1(p_lock_timeout_ms integer) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  -- Writes keep their order because each statement after the lock reads a new snapshot. Other isolation levels do
  -- not take one.
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'turnlog needs the isolation level read committed';
  END IF;
  PERFORM set_config('lock_timeout', p_lock_timeout_ms || 'ms', true);
  -- The session keeps the plans that it made while the tables were small. Every step of a write finds a few rows by a
  -- key, so a scan or a hash is never the right plan, whatever the statistics say. Plans are generic, because planning
  -- for the values of one call takes longer than the call.
  PERFORM set_config('plan_cache_mode', 'force_generic_plan', true);
  PERFORM set_config('enable_seqscan', 'off', true);
  PERFORM set_config('enable_hashjoin', 'off', true);
  PERFORM set_config('enable_mergejoin', 'off', true);
  IF current_setting('synchronous_commit') IN ('off', 'local') THEN
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;
END $$;
--> statement-breakpoint
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
    segment uuid, agent_response text, received timestamptz, human_voice_session_id text,
    human_duration_seconds integer, human_metadata jsonb, human_speech_ended_at timestamptz,
    assistant_tts_audio_urls text[], assistant_memory_retrieval_trace jsonb, assistant_metadata jsonb,
    assistant_first_audio_at timestamptz);
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
      request_hash = decode(t.human_hash, 'hex'), recorded_version = v, (voice_session_id, duration_seconds,
      tts_audio_urls, memory_retrieval_trace, metadata, speech_ended_at, first_audio_at) = ROW(t.human_voice_session_id,
      t.human_duration_seconds, NULL::text[], NULL::jsonb, t.human_metadata, t.human_speech_ended_at, NULL::timestamptz)
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
      request_hash, recorded_version, voice_session_id, duration_seconds, tts_audio_urls, memory_retrieval_trace,
      metadata, speech_ended_at, first_audio_at)
    VALUES (
      t.conversation_id, old.last_seq + 1, t.assistant_id, t.tenant, human_row.turn_id, v, 'ai',
      t.assistant_parts, 'text', t.segment, coalesce(t.assistant_created_at, human_row.created_at + interval '1 microsecond'),
      decode(t.assistant_hash, 'hex'), v, NULL::text, NULL::integer, t.assistant_tts_audio_urls,
      t.assistant_memory_retrieval_trace, t.assistant_metadata, NULL::timestamptz, t.assistant_first_audio_at)
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
--> statement-breakpoint
-- Creates a conversation, or returns the one that the same body created before.
CREATE OR REPLACE FUNCTION turnlog_create_v1(
  p_tenant text, p_id uuid, p_id_given boolean, p_external_id text, p_title text, p_metadata jsonb,
  p_hash text, p_at timestamptz, p_lock_timeout_ms integer)
RETURNS TABLE (outcome text, conversation conversations)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  found_id uuid := p_id;
  old conversations%ROWTYPE;
BEGIN
  PERFORM turnlog_begin_v1(p_lock_timeout_ms);
  INSERT INTO conversations (id, tenant, version, self_version, last_seq, external_id, title, metadata, request_hash, created_at)
  VALUES (p_id, p_tenant, 1, 1, 0, p_external_id, p_title, p_metadata, decode(p_hash, 'hex'), p_at)
  ON CONFLICT (id) DO NOTHING
  RETURNING * INTO old;
  IF FOUND THEN
    IF p_external_id IS NULL THEN
      RETURN QUERY SELECT 'created', old;
      RETURN;
    END IF;
    INSERT INTO conversation_external_ids (tenant, external_id, conversation_id)
    VALUES (p_tenant, p_external_id, p_id)
    ON CONFLICT (tenant, external_id) DO NOTHING;
    IF FOUND THEN
      RETURN QUERY SELECT 'created', old;
      RETURN;
    END IF;
    -- Another conversation has the external id. The new row is deleted in the transaction that made it, so no other
    -- transaction ever sees it.
    DELETE FROM conversations c WHERE c.id = p_id;
    SELECT x.conversation_id INTO found_id FROM conversation_external_ids x
    WHERE x.tenant = p_tenant AND x.external_id = p_external_id;
  END IF;
  SELECT * INTO old FROM conversations c WHERE c.id = found_id;
  RETURN QUERY SELECT
    CASE
      WHEN old.id = p_id AND old.tenant <> p_tenant THEN 'conversation-taken'
      WHEN old.id = p_id AND old.erased_at IS NOT NULL THEN 'conversation-erased'
      WHEN (old.id = p_id OR NOT p_id_given) AND old.request_hash = decode(p_hash, 'hex') THEN 'existing'
      WHEN old.id = p_id THEN 'conversation-taken'
      ELSE 'external-id-taken'
    END, old;
END $$;
--> statement-breakpoint
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
--> statement-breakpoint
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
--> statement-breakpoint
-- Expires the seats whose words have not arrived in time. Each seat becomes an empty message with the state
-- `expired`, and takes a version.
CREATE OR REPLACE FUNCTION turnlog_expire_seats_v1(
  p_tenant text, p_id uuid, p_now timestamptz, p_max integer, p_lock_timeout_ms integer)
RETURNS TABLE (version bigint, message conversation_messages)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  old conversations%ROWTYPE;
  seat_seq bigint;
  v bigint;
  m conversation_messages%ROWTYPE;
BEGIN
  PERFORM turnlog_begin_v1(p_lock_timeout_ms);
  SELECT * INTO old FROM conversations c WHERE c.id = p_id AND c.tenant = p_tenant FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  v := old.version;
  FOR seat_seq IN
    SELECT x.seq FROM conversation_messages x
    WHERE x.conversation_id = p_id AND x.state = 'pending' AND x.seat_until <= p_now
    ORDER BY x.seq LIMIT p_max
  LOOP
    v := v + 1;
    UPDATE conversation_messages x SET state = 'expired', version = v
    WHERE x.conversation_id = p_id AND x.seq = seat_seq
    RETURNING * INTO m;
    RETURN QUERY SELECT v, m;
  END LOOP;
  UPDATE conversations c SET version = v WHERE c.id = p_id AND c.version < v;
END $$;
--> statement-breakpoint
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
--> statement-breakpoint
-- Returns the audio URLs of an answer: those in the request, and for a part without one the URL that was held for the
-- same text.
CREATE OR REPLACE FUNCTION turnlog_join_audio_v1(p_id uuid, p_key text, p_parts text[], p_urls text[]) RETURNS text[]
LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN count(h.url) = 0 THEN p_urls ELSE array_agg(coalesce(p_urls[n], h.url) ORDER BY n) END
  FROM generate_series(1, greatest(cardinality(p_parts), coalesce(cardinality(p_urls), 0))) AS n
  LEFT JOIN held_audio h ON h.conversation_id = p_id AND h.key = p_key AND h.part = n - 1
    AND h.text_hash = sha256(convert_to(p_parts[n], 'UTF8'))
$$;
--> statement-breakpoint
-- Decides the outcome of each turn of a batch and counts the turns to be recorded. turnlog_record_turns_v1 calls it
-- for every batch that is not plain. `p_ids` are the conversations that the caller has locked; p_tenants, p_versions
-- and p_erased have their tenants, their versions and whether they are erased. It returns lists over the turns, in
-- their order, and lists over the conversations that are written to (`touched` and the following columns). `lines`
-- has the index of the turn's conversation in p_ids, NULL for a turn that is not recorded; `heads` has the version of
-- the conversation after the call.
CREATE OR REPLACE FUNCTION turnlog_judge_turns_v1(
  p_turns jsonb, p_ids uuid[], p_tenants text[], p_versions bigint[], p_erased boolean[])
RETURNS TABLE (
  outcomes text[], lines integer[], turns_before integer[], places_before integer[],
  twin_versions bigint[], twin_seqs bigint[], twin_turns uuid[], heads bigint[], joined jsonb,
  completes boolean, speaks boolean,
  touched uuid[], counts integer[], places integer[], ats timestamptz[])
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  WITH t AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(p_turns) AS t(
      n integer, tenant text, conversation_id uuid, key text, hash text, given uuid[], human_id uuid,
      human_voice_session_id text, assistant_parts text[], assistant_created_at timestamptz,
      assistant_tts_audio_urls text[], segment uuid, agent_response text)
  ), locked AS MATERIALIZED (
    SELECT * FROM unnest(p_ids, p_tenants, p_versions, p_erased) WITH ORDINALITY AS h(id, tenant, version, is_erased, line)
  ), judged AS MATERIALIZED (
    SELECT t.*, locked.line, locked.version AS head, twin.recorded_version AS twin_version, twin.seq AS twin_seq,
      twin.turn_id AS twin_turn,
      CASE
        WHEN locked.id IS NULL THEN
          CASE WHEN (SELECT true FROM conversations c WHERE c.id = t.conversation_id AND c.tenant = t.tenant LIMIT 1)
            THEN 'locked' ELSE 'conversation-not-found' END
        WHEN locked.is_erased THEN 'conversation-erased'
        WHEN twin.seq IS NOT NULL THEN
          -- A turn that was opened is completed by another function. Recording it is a conflict.
          CASE WHEN twin.opened_version IS NULL AND twin.request_hash = decode(t.hash, 'hex')
            THEN 'replayed' ELSE 'idempotency-conflict' END
        WHEN t.segment IS NOT NULL AND (
          SELECT true FROM segments s WHERE s.conversation_id = t.conversation_id AND s.id = t.segment LIMIT 1
        ) IS NULL THEN 'segment-not-found'
        WHEN t.given IS NOT NULL AND (
          SELECT true FROM unnest(t.given) AS g(id) CROSS JOIN LATERAL (
            SELECT FROM conversation_messages m WHERE m.conversation_id = t.conversation_id AND m.id = g.id LIMIT 1
          ) taken LIMIT 1
        ) THEN 'id-taken'
        ELSE 'recorded'
      END AS outcome
    FROM t
    LEFT JOIN locked ON locked.id = t.conversation_id AND locked.tenant = t.tenant
    LEFT JOIN LATERAL (
      SELECT m.request_hash, m.recorded_version, m.turn_id, m.seq, m.opened_version FROM conversation_messages m
      WHERE m.conversation_id = locked.id AND m.idempotency_key = t.key LIMIT 1
    ) twin ON t.key IS NOT NULL
  ), counted AS MATERIALIZED (
    SELECT j.*, j.outcome = 'recorded' AS is_recorded,
      CASE WHEN j.human_id IS NULL THEN 1 ELSE 2 END AS places,
      count(*) FILTER (WHERE j.outcome = 'recorded') OVER before AS turns_before,
      sum(CASE WHEN j.human_id IS NULL THEN 1 ELSE 2 END) FILTER (WHERE j.outcome = 'recorded') OVER before
        AS places_before,
      count(*) FILTER (WHERE j.outcome = 'recorded') OVER (PARTITION BY j.line) AS line_turns,
      CASE WHEN j.outcome = 'recorded'
          AND (SELECT true FROM held_audio h WHERE h.conversation_id = j.conversation_id AND h.key = j.key LIMIT 1)
        THEN turnlog_join_audio_v1(j.conversation_id, j.key, j.assistant_parts, j.assistant_tts_audio_urls)
      END AS joined
    FROM judged j
    WINDOW before AS (PARTITION BY j.line ORDER BY j.n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
  ), by_turn AS (
    SELECT array_agg(c.outcome) AS outcomes,
      array_agg(CASE WHEN c.is_recorded THEN c.line::integer END) AS lines,
      array_agg(c.turns_before::integer) AS turns_before,
      array_agg(coalesce(c.places_before, 0)::integer) AS places_before,
      array_agg(c.twin_version) AS twin_versions, array_agg(c.twin_seq) AS twin_seqs,
      array_agg(c.twin_turn) AS twin_turns, array_agg(c.head + c.line_turns) AS heads,
      jsonb_object_agg(c.n, to_jsonb(c.joined)) FILTER (WHERE c.joined IS NOT NULL) AS joined,
      bool_or(c.is_recorded AND c.agent_response IS NOT NULL) AS completes,
      bool_or(c.is_recorded AND c.human_voice_session_id IS NOT NULL) AS speaks
    FROM (SELECT * FROM counted ORDER BY n) c
  ), by_conversation AS (
    SELECT array_agg(g.id) AS touched, array_agg(g.turns) AS counts, array_agg(g.places) AS places,
      array_agg(g.at) AS ats
    FROM (
      SELECT c.conversation_id AS id, count(*)::integer AS turns, sum(c.places)::integer AS places,
        max(c.assistant_created_at) AS at
      FROM counted c WHERE c.is_recorded GROUP BY c.conversation_id) g
  )
  SELECT t.outcomes, t.lines, t.turns_before, t.places_before, t.twin_versions, t.twin_seqs, t.twin_turns,
    t.heads, t.joined, t.completes, t.speaks, c.touched, c.counts, c.places, c.ats
  FROM by_turn t CROSS JOIN by_conversation c;
END $$;
--> statement-breakpoint
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
--> statement-breakpoint
-- Opens a turn: gives its human message a `seq` before its words have arrived. Such a message is a seat. A second call
-- with the same key returns the seat.
CREATE OR REPLACE FUNCTION turnlog_open_v1(
  p_tenant text, p_id uuid, p_key text, p_message uuid, p_at timestamptz, p_until timestamptz,
  p_seats_max integer, p_lock_timeout_ms integer)
RETURNS TABLE (outcome text, version bigint, head bigint, message conversation_messages)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  old conversations%ROWTYPE;
  seat conversation_messages%ROWTYPE;
BEGIN
  PERFORM turnlog_begin_v1(p_lock_timeout_ms);
  SELECT * INTO old FROM conversations c WHERE c.id = p_id AND c.tenant = p_tenant FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN QUERY SELECT 'conversation-not-found', 0::bigint, 0::bigint, seat;
    RETURN;
  ELSIF old.erased_at IS NOT NULL THEN
    RETURN QUERY SELECT 'conversation-erased', 0::bigint, old.version, seat;
    RETURN;
  END IF;
  SELECT * INTO seat FROM conversation_messages m WHERE m.conversation_id = p_id AND m.idempotency_key = p_key;
  IF FOUND THEN
    RETURN QUERY SELECT CASE WHEN seat.opened_version IS NULL THEN 'idempotency-conflict' ELSE 'existing' END,
      seat.opened_version, old.version, seat;
    RETURN;
  END IF;
  IF (SELECT count(*) FROM conversation_messages m
      WHERE m.conversation_id = p_id AND m.state = 'pending') >= p_seats_max THEN
    RETURN QUERY SELECT 'seats-too-many', 0::bigint, old.version, seat;
    RETURN;
  END IF;
  INSERT INTO conversation_messages (
    conversation_id, seq, id, tenant, turn_id, version, role, parts, message_type, created_at,
    idempotency_key, state, opened_version, seat_until)
  VALUES (
    p_id, old.last_seq + 1, p_message, p_tenant, p_message, old.version + 1, 'human', '{""}', 'text', p_at,
    p_key, 'pending', old.version + 1, p_until)
  RETURNING * INTO seat;
  UPDATE conversations c SET version = old.version + 1, last_seq = old.last_seq + 1 WHERE c.id = p_id;
  RETURN QUERY SELECT 'opened', old.version + 1, old.version + 1, seat;
END $$;
--> statement-breakpoint
-- Replaces title, metadata and external id by the values that the caller merged into the row at p_self_version. If the
-- row has another self_version, the outcome is `stale`.
CREATE OR REPLACE FUNCTION turnlog_patch_v1(
  p_tenant text, p_id uuid, p_self_version bigint, p_if_match bigint, p_external_id text, p_title text,
  p_metadata jsonb, p_lock_timeout_ms integer)
RETURNS TABLE (outcome text, conversation conversations)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  old conversations%ROWTYPE;
BEGIN
  PERFORM turnlog_begin_v1(p_lock_timeout_ms);
  SELECT * INTO old FROM conversations c WHERE c.id = p_id AND c.tenant = p_tenant FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN QUERY SELECT 'conversation-not-found', old;
  ELSIF old.erased_at IS NOT NULL THEN
    RETURN QUERY SELECT 'conversation-erased', old;
  ELSIF p_if_match IS NOT NULL AND p_if_match <> old.version THEN
    RETURN QUERY SELECT 'version-mismatch', old;
  ELSIF old.self_version <> p_self_version THEN
    RETURN QUERY SELECT 'stale', old;
  ELSIF (old.external_id, old.title, old.metadata) IS NOT DISTINCT FROM (p_external_id, p_title, p_metadata) THEN
    RETURN QUERY SELECT 'unchanged', old;
  ELSE
    IF p_external_id IS DISTINCT FROM old.external_id THEN
      IF p_external_id IS NOT NULL THEN
        INSERT INTO conversation_external_ids (tenant, external_id, conversation_id)
        VALUES (p_tenant, p_external_id, p_id)
        ON CONFLICT (tenant, external_id) DO NOTHING;
        IF NOT FOUND THEN
          RETURN QUERY SELECT 'external-id-taken', old;
          RETURN;
        END IF;
      END IF;
      DELETE FROM conversation_external_ids x WHERE x.tenant = p_tenant AND x.external_id = old.external_id;
    END IF;
    UPDATE conversations c SET version = old.version + 1, self_version = old.version + 1,
      external_id = p_external_id, title = p_title, metadata = p_metadata
    WHERE c.id = p_id
    RETURNING * INTO old;
    RETURN QUERY SELECT 'patched', old;
  END IF;
END $$;
--> statement-breakpoint
-- Records one turn. It locks the conversation, looks up the turn's key, ids and segment under the lock, and writes
-- everything in one statement. That takes about half of the time of turnlog_record_turns_v1, because it needs neither
-- a list in JSON nor the settings of turnlog_begin_v1.
--
-- `p_rest` has the other facts of the turn, or is NULL: the fields of its messages by half and column, its segment,
-- and in `given` the ids that the caller chose. turnlog_record_turns_v1 decides about a turn that cannot simply be
-- recorded: the conversation or the segment does not exist, the conversation is erased or locked by another writer,
-- the key or an id is used already, or audio waits for the turn. p_wait says whether it waits for another writer.
CREATE OR REPLACE FUNCTION turnlog_record_turn_v1(
  p_tenant text, p_conversation_id uuid, p_key text, p_hash text,
  p_human_id uuid, p_human_text text, p_human_message_type text, p_human_created_at timestamptz,
  p_assistant_id uuid, p_assistant_parts text[], p_assistant_created_at timestamptz,
  p_rest jsonb, p_wait boolean, p_lock_timeout_ms integer)
RETURNS TABLE (n integer, outcome text, version bigint, seq bigint, head bigint, turn_id uuid, urls text[], began boolean)
LANGUAGE plpgsql
-- The session keeps the plan that it made while the table was small, so the plan must not be a scan.
SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
  erased timestamptz;
  v bigint;
  last bigint;
  segment uuid;
  is_special boolean := false;
BEGIN
  -- One condition checks all that turnlog_begin_v1 ensures, because this code runs for every single turn.
  IF current_setting('transaction_isolation') <> 'read committed'
    OR current_setting('synchronous_commit') IN ('off', 'local') THEN
    PERFORM turnlog_begin_v1(p_lock_timeout_ms);
  END IF;
  SELECT c.erased_at, c.version + 1, c.last_seq + CASE WHEN p_human_id IS NULL THEN 1 ELSE 2 END,
    0, 'recorded', c.version + 1, c.last_seq + 1, c.version + 1, false
  INTO erased, v, last, n, outcome, version, seq, head, began FROM conversations c
  WHERE c.id = p_conversation_id AND c.tenant = p_tenant FOR NO KEY UPDATE SKIP LOCKED;
  IF FOUND AND erased IS NULL THEN
    IF p_key IS NOT NULL THEN
      PERFORM FROM conversation_messages m WHERE m.conversation_id = p_conversation_id AND m.idempotency_key = p_key
        UNION ALL SELECT FROM held_audio h WHERE h.conversation_id = p_conversation_id AND h.key = p_key;
      is_special := FOUND;
    END IF;
    IF p_rest ?| '{segment,given}' THEN
      segment := (p_rest ->> 'segment')::uuid;
      PERFORM FROM conversation_messages m WHERE m.conversation_id = p_conversation_id AND m.id = p_human_id
        UNION ALL SELECT FROM conversation_messages m WHERE m.conversation_id = p_conversation_id AND m.id = p_assistant_id
        UNION ALL SELECT WHERE segment IS NOT NULL AND (
          SELECT true FROM segments s WHERE s.conversation_id = p_conversation_id AND s.id = segment LIMIT 1) IS NULL;
      is_special := is_special OR FOUND;
    END IF;
    IF NOT is_special THEN
      WITH touched AS (
        UPDATE conversations c SET version = v, last_seq = last,
          last_message_at = greatest(c.last_message_at, p_assistant_created_at)
        WHERE c.id = p_conversation_id
      )
      INSERT INTO conversation_messages (
        conversation_id, seq, id, tenant, turn_id, version, role, parts, message_type, segment_id, created_at,
        idempotency_key, request_hash, recorded_version, voice_session_id, duration_seconds, tts_audio_urls,
        memory_retrieval_trace, metadata, speech_ended_at, first_audio_at)
      SELECT p_conversation_id, last - 1, p_human_id, p_tenant, p_human_id, v, 'human',
        ARRAY[p_human_text], p_human_message_type, segment, p_human_created_at,
        p_key, decode(p_hash, 'hex'), v, p_rest ->> 'human_voice_session_id',
        (p_rest ->> 'human_duration_seconds')::integer, NULL::text[], NULL::jsonb, p_rest -> 'human_metadata',
        (p_rest ->> 'human_speech_ended_at')::timestamptz, NULL::timestamptz
      WHERE p_human_id IS NOT NULL
      UNION ALL
      SELECT p_conversation_id, last, p_assistant_id, p_tenant, coalesce(p_human_id, p_assistant_id), v, 'ai',
        p_assistant_parts, 'text', segment, p_assistant_created_at,
        CASE WHEN p_human_id IS NULL THEN p_key END,
        CASE WHEN p_human_id IS NULL THEN decode(p_hash, 'hex') END,
        CASE WHEN p_human_id IS NULL THEN v END, NULL::text, NULL::integer,
        turnlog_texts_v1(p_rest -> 'assistant_tts_audio_urls'), p_rest -> 'assistant_memory_retrieval_trace',
        p_rest -> 'assistant_metadata', NULL::timestamptz, (p_rest ->> 'assistant_first_audio_at')::timestamptz;
      IF p_rest IS NOT NULL THEN
        IF p_rest ? 'human_voice_session_id' THEN
          INSERT INTO voice_sessions (conversation_id, id, tenant, version, started_at)
          VALUES (p_conversation_id, p_rest ->> 'human_voice_session_id', p_tenant, v, p_human_created_at)
          ON CONFLICT DO NOTHING;
          began := FOUND;
        END IF;
        IF p_rest ? 'agent_response' THEN
          UPDATE segments s SET version = v, user_message_id = p_human_id, agent_response = p_rest ->> 'agent_response',
            lineage = p_rest -> 'lineage', updated_at = (p_rest ->> 'received')::timestamptz
          WHERE s.conversation_id = p_conversation_id AND s.id = segment;
        END IF;
      END IF;
      RETURN NEXT;
      RETURN;
    END IF;
  END IF;
  RETURN QUERY SELECT * FROM turnlog_record_turns_v1(
    jsonb_build_array(jsonb_build_object('n', 0, 'tenant', p_tenant, 'conversation_id', p_conversation_id,
      'key', p_key, 'hash', p_hash, 'human_id', p_human_id, 'human_text', p_human_text,
      'human_message_type', p_human_message_type, 'human_created_at', p_human_created_at,
      'assistant_id', p_assistant_id, 'assistant_parts', p_assistant_parts,
      'assistant_created_at', p_assistant_created_at) || coalesce(p_rest, '{}')),
    p_wait, false, false, ARRAY[p_conversation_id], ARRAY[p_tenant], NULL, NULL, NULL, NULL, NULL, NULL,
    p_lock_timeout_ms);
END $$;
--> statement-breakpoint
-- Records several turns, and returns one row for each turn, with its number `n`. `urls` are the audio URLs of an
-- answer that early audio joined; `began` says that the turn began its voice session. `p_ids` are the conversations
-- of the turns, each once and in order, and `p_tenants` their tenants. The turns of a conversation that another
-- writer has locked get the outcome `locked` and are not recorded, unless p_wait says to wait for the lock.
--
-- p_plain says that no turn names a segment or chooses ids. The caller has then counted already. For each turn,
-- `p_lines` has the index of its conversation in `p_ids`, and p_turns_before and p_places_before the numbers of turns
-- and messages of that conversation that come before it. For each conversation, p_counts and p_places have the
-- numbers of its turns and messages, and p_ats the time of its last answer. These counts are valid if all
-- conversations are locked here, none is erased, no key is used already, and every named voice session has begun.
-- Keys and voice sessions are looked up only if p_named says that some turn has one. In any other case
-- turnlog_judge_turns_v1 decides and counts. One statement then writes the messages.
CREATE OR REPLACE FUNCTION turnlog_record_turns_v1(
  p_turns jsonb, p_wait boolean, p_plain boolean, p_named boolean, p_ids uuid[], p_tenants text[],
  p_counts integer[], p_places integer[], p_ats timestamptz[],
  p_lines integer[], p_turns_before integer[], p_places_before integer[], p_lock_timeout_ms integer)
RETURNS TABLE (n integer, outcome text, version bigint, seq bigint, head bigint, turn_id uuid, urls text[], began boolean)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  turns jsonb := p_turns;
  -- Lists over the conversations that this call has locked.
  ids uuid[];
  tenants text[];
  versions bigint[];
  seqs bigint[];
  erased boolean[];
  -- Lists over the conversations that are written to.
  touched uuid[] := p_ids;
  counts integer[] := p_counts;
  places integer[] := p_places;
  ats timestamptz[] := p_ats;
  -- Lists over the turns. The line is NULL for a turn that is not recorded.
  lines integer[] := p_lines;
  turns_before integer[] := p_turns_before;
  places_before integer[] := p_places_before;
  outcomes text[];
  twin_versions bigint[];
  twin_seqs bigint[];
  twin_turns uuid[];
  heads bigint[];
  -- The audio URLs of the answers that early audio joined, by the numbers of their turns.
  joined jsonb;
  completes boolean;
  speaks boolean;
  beginners integer[];
  is_plain boolean := false;
BEGIN
  PERFORM turnlog_begin_v1(p_lock_timeout_ms);
  -- The condition `erased_at IS NULL` is left out: with it, the plan could walk the index of activity.
  IF p_wait THEN
    SELECT array_agg(l.id), array_agg(l.tenant), array_agg(l.version), array_agg(l.last_seq),
      array_agg(l.erased_at IS NOT NULL)
    INTO ids, tenants, versions, seqs, erased FROM (
      SELECT c.id, c.tenant, c.version, c.last_seq, c.erased_at FROM conversations c
      WHERE c.id = ANY (p_ids) AND c.tenant = ANY (p_tenants)
      ORDER BY c.id FOR NO KEY UPDATE) l;
  ELSE
    SELECT array_agg(l.id), array_agg(l.tenant), array_agg(l.version), array_agg(l.last_seq),
      array_agg(l.erased_at IS NOT NULL)
    INTO ids, tenants, versions, seqs, erased FROM (
      SELECT c.id, c.tenant, c.version, c.last_seq, c.erased_at FROM conversations c
      WHERE c.id = ANY (p_ids) AND c.tenant = ANY (p_tenants)
      ORDER BY c.id FOR NO KEY UPDATE SKIP LOCKED) l;
  END IF;
  IF p_plain THEN
    is_plain := ids = p_ids AND tenants = p_tenants AND NOT true = ANY (erased) AND (NOT p_named OR (
      SELECT true FROM jsonb_to_recordset(p_turns) AS t(n integer, key text, human_voice_session_id text)
      WHERE CASE WHEN t.key IS NOT NULL THEN
          (SELECT true FROM conversation_messages m
            WHERE m.conversation_id = p_ids[p_lines[t.n + 1]] AND m.idempotency_key = t.key LIMIT 1)
          OR (SELECT true FROM held_audio h
            WHERE h.conversation_id = p_ids[p_lines[t.n + 1]] AND h.key = t.key LIMIT 1) END
        OR CASE WHEN t.human_voice_session_id IS NOT NULL THEN
          (SELECT true FROM voice_sessions s
            WHERE s.conversation_id = p_ids[p_lines[t.n + 1]] AND s.id = t.human_voice_session_id LIMIT 1) IS NULL END
      LIMIT 1) IS NULL);
  END IF;

  IF is_plain IS NOT TRUE THEN
    SELECT * FROM turnlog_judge_turns_v1(p_turns, ids, tenants, versions, erased)
    INTO outcomes, lines, turns_before, places_before, twin_versions, twin_seqs, twin_turns, heads, joined,
      completes, speaks, touched, counts, places, ats;
    IF joined IS NOT NULL THEN
      SELECT jsonb_agg(CASE WHEN joined ? (t.turn ->> 'n')
          THEN jsonb_set(t.turn, '{assistant_tts_audio_urls}', joined -> (t.turn ->> 'n')) ELSE t.turn END)
      INTO turns FROM jsonb_array_elements(p_turns) AS t(turn);
    END IF;
  END IF;

  IF touched IS NOT NULL THEN
    WITH moved AS (
      UPDATE conversations c SET version = c.version + u.turns, last_seq = c.last_seq + u.places,
        last_message_at = greatest(c.last_message_at, u.at)
      FROM unnest(touched, counts, places, ats) AS u(id, turns, places, at)
      WHERE c.id = u.id AND c.id = ANY (touched)
    )
    INSERT INTO conversation_messages (
      conversation_id, seq, id, tenant, turn_id, version, role, parts, message_type, segment_id, created_at,
      idempotency_key, request_hash, recorded_version, voice_session_id, duration_seconds, tts_audio_urls,
      memory_retrieval_trace, metadata, speech_ended_at, first_audio_at)
    SELECT ids[l.line],
      seqs[l.line] + places_before[t.n + 1] + CASE WHEN is_human OR t.human_id IS NULL THEN 1 ELSE 2 END,
      CASE WHEN is_human THEN t.human_id ELSE t.assistant_id END, tenants[l.line],
      coalesce(t.human_id, t.assistant_id), l.v,
      CASE WHEN is_human THEN 'human' ELSE 'ai' END,
      CASE WHEN is_human THEN ARRAY[t.human_text] ELSE t.assistant_parts END,
      CASE WHEN is_human THEN t.human_message_type ELSE 'text' END, t.segment,
      CASE WHEN is_human THEN t.human_created_at ELSE t.assistant_created_at END,
      CASE WHEN is_human = (t.human_id IS NOT NULL) THEN t.key END,
      CASE WHEN is_human = (t.human_id IS NOT NULL) THEN decode(t.hash, 'hex') END,
      CASE WHEN is_human = (t.human_id IS NOT NULL) THEN l.v END, CASE WHEN is_human THEN t.human_voice_session_id END,
      CASE WHEN is_human THEN t.human_duration_seconds END, CASE WHEN NOT is_human THEN t.assistant_tts_audio_urls END,
      CASE WHEN NOT is_human THEN t.assistant_memory_retrieval_trace END,
      CASE WHEN is_human THEN t.human_metadata ELSE t.assistant_metadata END,
      CASE WHEN is_human THEN t.human_speech_ended_at END, CASE WHEN NOT is_human THEN t.assistant_first_audio_at END
    FROM jsonb_to_recordset(turns) AS t(
      n integer, key text, hash text, segment uuid,
      human_id uuid, human_text text, human_message_type text, human_created_at timestamptz,
      assistant_id uuid, assistant_parts text[], assistant_created_at timestamptz, human_voice_session_id text,
      human_duration_seconds integer, human_metadata jsonb, human_speech_ended_at timestamptz,
      assistant_tts_audio_urls text[], assistant_memory_retrieval_trace jsonb, assistant_metadata jsonb,
      assistant_first_audio_at timestamptz)
    CROSS JOIN LATERAL (
      SELECT lines[t.n + 1] AS line, versions[lines[t.n + 1]] + turns_before[t.n + 1] + 1 AS v) l
    CROSS JOIN (VALUES (true), (false)) AS half(is_human)
    WHERE l.line IS NOT NULL AND (t.human_id IS NOT NULL OR NOT is_human);
  END IF;

  IF is_plain THEN
    RETURN QUERY SELECT (u.n - 1)::integer, 'recorded', versions[u.line] + u.turns + 1, seqs[u.line] + u.places + 1,
        versions[u.line] + p_counts[u.line], NULL::uuid, NULL::text[], false
      FROM unnest(lines, turns_before, places_before) WITH ORDINALITY AS u(line, turns, places, n);
    RETURN;
  END IF;
  IF completes THEN
    UPDATE segments s SET version = g.v, user_message_id = g.human_id, agent_response = g.agent_response,
      lineage = g.lineage, updated_at = g.received
    FROM (
      SELECT DISTINCT ON (t.conversation_id, t.segment) t.*,
        versions[lines[t.n + 1]] + turns_before[t.n + 1] + 1 AS v
      FROM jsonb_to_recordset(p_turns) AS t(
        n integer, conversation_id uuid, human_id uuid, segment uuid, agent_response text, lineage jsonb,
        received timestamptz)
      WHERE lines[t.n + 1] IS NOT NULL AND t.agent_response IS NOT NULL
      ORDER BY t.conversation_id, t.segment, t.n DESC
    ) g
    WHERE s.conversation_id = g.conversation_id AND s.id = g.segment;
  END IF;
  IF speaks THEN
    WITH first AS MATERIALIZED (
      SELECT DISTINCT ON (t.conversation_id, t.human_voice_session_id) t.*,
        versions[lines[t.n + 1]] + turns_before[t.n + 1] + 1 AS v
      FROM jsonb_to_recordset(p_turns) AS t(
        n integer, tenant text, conversation_id uuid, human_voice_session_id text, human_created_at timestamptz)
      WHERE lines[t.n + 1] IS NOT NULL AND t.human_voice_session_id IS NOT NULL
      ORDER BY t.conversation_id, t.human_voice_session_id, t.n
    ), begun AS (
      INSERT INTO voice_sessions (conversation_id, id, tenant, version, started_at)
      SELECT f.conversation_id, f.human_voice_session_id, f.tenant, f.v, f.human_created_at FROM first f
      ON CONFLICT DO NOTHING
      RETURNING conversation_id, id
    )
    SELECT array_agg(f.n) INTO beginners FROM first f
    JOIN begun b ON b.conversation_id = f.conversation_id AND b.id = f.human_voice_session_id;
  END IF;
  IF joined IS NOT NULL THEN
    DELETE FROM held_audio h
    USING jsonb_to_recordset(p_turns) AS t(n integer, conversation_id uuid, key text)
    WHERE joined ? t.n::text AND h.conversation_id = t.conversation_id AND h.key = t.key;
  END IF;
  RETURN QUERY SELECT (u.n - 1)::integer, u.outcome,
      coalesce(versions[u.line] + u.turns + 1, u.twin_version), coalesce(seqs[u.line] + u.places + 1, u.twin_seq),
      u.head, u.twin_turn,
      turnlog_texts_v1(joined -> (u.n - 1)::text),
      coalesce((u.n - 1)::integer = ANY (beginners), false)
    FROM unnest(outcomes, lines, turns_before, places_before, twin_versions, twin_seqs, twin_turns, heads)
      WITH ORDINALITY AS u(outcome, line, turns, places, twin_version, twin_seq, twin_turn, head, n);
END $$;
--> statement-breakpoint
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
--> statement-breakpoint
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
--> statement-breakpoint
-- Returns the texts of a JSON array, nulls included. It is STRICT, so that Postgres does not call it for NULL, which
-- most turns have.
CREATE OR REPLACE FUNCTION turnlog_texts_v1(p_array jsonb) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
  RETURN ARRAY(SELECT e.value FROM jsonb_array_elements_text(p_array) WITH ORDINALITY AS e(value, n) ORDER BY e.n);
END $$;
--> statement-breakpoint
-- Reads the versions of many conversations, each found by its key. Outside of a function, the statement may be planned
-- as a scan while the table is small, and the session keeps that plan when the table has grown.
CREATE OR REPLACE FUNCTION turnlog_versions_v1(p_tenants text[], p_ids uuid[])
RETURNS TABLE (n bigint, version bigint, is_erased boolean)
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY SELECT a.n, c.version, c.erased_at IS NOT NULL
    FROM unnest(p_tenants, p_ids) WITH ORDINALITY a(tenant, id, n)
    CROSS JOIN LATERAL (SELECT c.version, c.erased_at FROM conversations c
      WHERE c.tenant = a.tenant AND c.id = a.id LIMIT 1) c;
END $$;
--> statement-breakpoint
INSERT INTO turnlog_migrations (id, name, oldest_code) VALUES (8, 'functions', 2);
