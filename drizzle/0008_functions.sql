-- Generated from drizzle/functions by `bun run db:functions`: change a function there.

-- Attaches audio to the answer of the turn with the key p_key, to the AI message p_message, or to the
-- latest AI message. p_urls replaces all URLs, else p_url sets that of part p_part. Audio that comes before
-- its turn is held until p_held_until. What changes nothing takes no version.
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
      -- Before its turn: whoever commits the turn finds it.
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
    -- Behind it there are at most seats that wait for words.
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
-- Begins every write: sets how long it waits for a lock, pins its plans to indexes, and keeps it durable.
-- The settings last until the end of the transaction, which is the end of the call.
CREATE OR REPLACE FUNCTION turnlog_begin_v1(p_lock_timeout_ms integer) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  -- The fresh snapshot after the lock is what keeps order; other isolation levels have none.
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'turnlog needs the isolation level read committed';
  END IF;
  PERFORM set_config('lock_timeout', p_lock_timeout_ms || 'ms', true);
  -- A plan made while the tables were small is kept by the session. Every step of a write is a few
  -- rows found by a key, so whatever the statistics say, a scan or a hash is never the right plan.
  -- For one call its values would be planned for anew, which takes longer than the call.
  PERFORM set_config('plan_cache_mode', 'force_generic_plan', true);
  PERFORM set_config('enable_seqscan', 'off', true);
  PERFORM set_config('enable_hashjoin', 'off', true);
  PERFORM set_config('enable_mergejoin', 'off', true);
  IF current_setting('synchronous_commit') IN ('off', 'local') THEN
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;
END $$;
--> statement-breakpoint
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
--> statement-breakpoint
-- Creates a conversation, or finds the one that the same body created before.
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
    -- The external id is another's: this row was never seen, and goes again in the same transaction.
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
-- Ends a voice session; with p_idle_at, only where nobody has carried it on past that time.
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
-- Deletes what the conversation holds and keeps its row, so that the id is never used again. A
-- repeated erasure answers the first one's receipt.
CREATE OR REPLACE FUNCTION turnlog_erase_v1(p_tenant text, p_id uuid, p_at timestamptz, p_lock_timeout_ms integer)
RETURNS TABLE (outcome text, version bigint, erased_at timestamptz, messages bigint, segments bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  old conversations%ROWTYPE;
  gone_messages bigint;
  gone_segments bigint;
BEGIN
  PERFORM turnlog_begin_v1(p_lock_timeout_ms);
  SELECT * INTO old FROM conversations c WHERE c.id = p_id AND c.tenant = p_tenant FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN QUERY SELECT 'conversation-not-found', 0::bigint, p_at, 0::bigint, 0::bigint;
  ELSIF old.erased_at IS NOT NULL THEN
    RETURN QUERY SELECT 'existing', old.version, old.erased_at, old.erased_messages, old.erased_segments;
  ELSE
    -- Messages and segments refer to each other: both go in one statement.
    WITH s AS (
      DELETE FROM segments s WHERE s.conversation_id = p_id RETURNING 1
    ), m AS (
      DELETE FROM conversation_messages m WHERE m.conversation_id = p_id RETURNING 1
    )
    SELECT (SELECT count(*) FROM m), (SELECT count(*) FROM s) INTO gone_messages, gone_segments;
    DELETE FROM voice_sessions v WHERE v.conversation_id = p_id;
    DELETE FROM held_audio h WHERE h.conversation_id = p_id;
    DELETE FROM conversation_external_ids x WHERE x.tenant = p_tenant AND x.external_id = old.external_id;
    UPDATE conversations c SET version = old.version + 1, self_version = old.version + 1,
      external_id = NULL, title = NULL, metadata = NULL, request_hash = NULL,
      erased_at = p_at, erased_messages = gone_messages, erased_segments = gone_segments
    WHERE c.id = p_id;
    -- Until a cache has confirmed that it holds nothing of it.
    INSERT INTO cache_erasures (tenant, conversation_id, version, erased_at)
      VALUES (p_tenant, p_id, old.version + 1, p_at);
    RETURN QUERY SELECT 'erased', old.version + 1, p_at, gone_messages, gone_segments;
  END IF;
END $$;
--> statement-breakpoint
-- Seats whose words did not come in time: each becomes an empty, marked message, and takes a version.
CREATE OR REPLACE FUNCTION turnlog_expire_seats_v1(
  p_tenant text, p_id uuid, p_now timestamptz, p_max integer, p_lock_timeout_ms integer)
RETURNS TABLE (version bigint, message conversation_messages)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  old conversations%ROWTYPE;
  place bigint;
  v bigint;
  m conversation_messages%ROWTYPE;
BEGIN
  PERFORM turnlog_begin_v1(p_lock_timeout_ms);
  SELECT * INTO old FROM conversations c WHERE c.id = p_id AND c.tenant = p_tenant FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  v := old.version;
  FOR place IN
    SELECT x.seq FROM conversation_messages x
    WHERE x.conversation_id = p_id AND x.state = 'pending' AND x.seat_until <= p_now
    ORDER BY x.seq LIMIT p_max
  LOOP
    v := v + 1;
    UPDATE conversation_messages x SET state = 'expired', version = v
    WHERE x.conversation_id = p_id AND x.seq = place
    RETURNING * INTO m;
    RETURN QUERY SELECT v, m;
  END LOOP;
  UPDATE conversations c SET version = v WHERE c.id = p_id AND c.version < v;
END $$;
--> statement-breakpoint
-- What the listener heard of an AI message. A report that is not later than the stored one, or says
-- the same without a time of its own, changes nothing.
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
  IF msg.interrupted_at >= p_at OR (msg.heard = p_heard AND NOT p_at_given) THEN
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
-- The audio URLs of an answer: those it came with, and for a part without one the URL that was held for
-- that very text.
CREATE OR REPLACE FUNCTION turnlog_join_audio_v1(p_id uuid, p_key text, p_parts text[], p_urls text[]) RETURNS text[]
LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN count(h.url) = 0 THEN p_urls ELSE array_agg(coalesce(p_urls[n], h.url) ORDER BY n) END
  FROM generate_series(1, greatest(cardinality(p_parts), coalesce(cardinality(p_urls), 0))) AS n
  LEFT JOIN held_audio h ON h.conversation_id = p_id AND h.key = p_key AND h.part = n - 1
    AND h.text_hash = sha256(convert_to(p_parts[n], 'UTF8'))
$$;
--> statement-breakpoint
-- Refuses to delete a conversation that has messages, or to change its id. Messages have no foreign key to
-- their conversation: it was looked up once for each message, though whoever writes messages holds the lock
-- of that very row. This trigger refuses what the key refused from the other side.
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
-- Gives the human message of a turn its place in the order, before there are words for it. The same
-- key again answers the seat.
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
-- Replaces title, metadata and external id by what the caller merged from the row at p_self_version.
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
-- Records one plain turn, in two thirds of the time that turnlog_record_v2 takes for it. The turn names no
-- segment, no voice session and no ids of its own, brings no audio, and waits for nobody: so the call needs
-- neither a list of turns nor the settings of turnlog_begin_v1. It locks the conversation, looks up the key
-- under the lock, and writes all at once. Any other case goes to turnlog_record_v2.
CREATE OR REPLACE FUNCTION turnlog_record_one_v1(
  p_tenant text, p_c uuid, p_key text, p_hash text,
  p_h_id uuid, p_h_text text, p_h_type text, p_h_metadata jsonb, p_h_at timestamptz,
  p_a_id uuid, p_a_parts text[], p_a_trace jsonb, p_a_metadata jsonb, p_a_at timestamptz, p_lock_timeout_ms integer)
RETURNS TABLE (n integer, outcome text, version bigint, seq bigint, head bigint, turn_id uuid, urls text[], began boolean)
LANGUAGE plpgsql
-- Kept by the session though it was planned while the table was small: never a scan.
SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
  erased timestamptz;
  v bigint;
  last bigint;
  seen boolean := false;
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'turnlog needs the isolation level read committed';
  END IF;
  IF current_setting('synchronous_commit') IN ('off', 'local') THEN
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;
  SELECT c.erased_at, c.version + 1, c.last_seq INTO erased, v, last FROM conversations c
  WHERE c.id = p_c AND c.tenant = p_tenant FOR NO KEY UPDATE SKIP LOCKED;
  IF FOUND AND erased IS NULL THEN
    IF p_key IS NOT NULL THEN
      PERFORM FROM conversation_messages m WHERE m.conversation_id = p_c AND m.idempotency_key = p_key
        UNION ALL SELECT FROM held_audio h WHERE h.conversation_id = p_c AND h.key = p_key;
      seen := FOUND;
    END IF;
    IF NOT seen THEN
      last := last + CASE WHEN p_h_id IS NULL THEN 1 ELSE 2 END;
      WITH touched AS (
        UPDATE conversations c SET version = v, last_seq = last,
          last_message_at = greatest(c.last_message_at, p_a_at)
        WHERE c.id = p_c
      )
      INSERT INTO conversation_messages (
        conversation_id, seq, id, tenant, turn_id, version, role, parts, message_type,
        memory_retrieval_trace, metadata, created_at, idempotency_key, request_hash, recorded_version)
      SELECT p_c, last - 1, p_h_id, p_tenant, p_h_id, v, 'human', ARRAY[p_h_text], p_h_type,
        NULL::jsonb, p_h_metadata, p_h_at, p_key, decode(p_hash, 'hex'), v
      WHERE p_h_id IS NOT NULL
      UNION ALL
      SELECT p_c, last, p_a_id, p_tenant, coalesce(p_h_id, p_a_id), v, 'ai', p_a_parts, 'text',
        p_a_trace, p_a_metadata, p_a_at,
        CASE WHEN p_h_id IS NULL THEN p_key END,
        CASE WHEN p_h_id IS NULL THEN decode(p_hash, 'hex') END,
        CASE WHEN p_h_id IS NULL THEN v END;
      n := 0;
      outcome := 'recorded';
      version := v;
      seq := last - CASE WHEN p_h_id IS NULL THEN 0 ELSE 1 END;
      head := v;
      began := false;
      RETURN NEXT;
      RETURN;
    END IF;
  END IF;
  RETURN QUERY SELECT * FROM turnlog_record_v2(
    jsonb_build_array(jsonb_build_object('n', 0, 'tenant', p_tenant, 'c', p_c, 'key', p_key, 'hash', p_hash,
      'h_id', p_h_id, 'h_text', p_h_text, 'h_type', p_h_type, 'h_metadata', p_h_metadata, 'h_at', p_h_at,
      'a_id', p_a_id, 'a_parts', p_a_parts, 'a_trace', p_a_trace, 'a_metadata', p_a_metadata, 'a_at', p_a_at)),
    false, p_lock_timeout_ms);
END $$;
--> statement-breakpoint
-- Records a batch of turns by the rules for all turns. A conversation that another writer holds is
-- answered `locked` and left alone, unless p_wait says to wait for it. Answers one row a turn, by its
-- number `n`; `urls` are the audio URLs of an answer that early audio joined, `began` says that the turn
-- began its voice session.
CREATE OR REPLACE FUNCTION turnlog_record_v2(p_turns jsonb, p_wait boolean, p_lock_timeout_ms integer)
RETURNS TABLE (n integer, outcome text, version bigint, seq bigint, head bigint, turn_id uuid, urls text[], began boolean)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  held uuid[];
  lone record;
  old conversations%ROWTYPE;
  v bigint;
  last bigint;
  session_began boolean := false;
BEGIN
  PERFORM turnlog_begin_v1(p_lock_timeout_ms);
  IF jsonb_array_length(p_turns) = 1 THEN
    SELECT * INTO lone FROM jsonb_to_record(p_turns -> 0) AS t(
      n integer, tenant text, c uuid, key text, hash text, given uuid[],
      h_id uuid, h_text text, h_type text, h_session text, h_seconds integer, h_metadata jsonb, h_at timestamptz,
      h_ended timestamptz,
      a_id uuid, a_parts text[], a_urls text[], a_trace jsonb, a_metadata jsonb, a_at timestamptz, a_first timestamptz,
      segment uuid, agent_response text, lineage jsonb, received timestamptz);
    IF p_wait THEN
      SELECT * INTO old FROM conversations c WHERE c.id = lone.c AND c.tenant = lone.tenant FOR NO KEY UPDATE;
    ELSE
      SELECT * INTO old FROM conversations c WHERE c.id = lone.c AND c.tenant = lone.tenant
        FOR NO KEY UPDATE SKIP LOCKED;
    END IF;
    IF FOUND THEN
      held := ARRAY[lone.c];
      -- A lone turn that asks for nothing special takes the short way; the rules for all others are below.
      IF old.erased_at IS NULL AND lone.segment IS NULL AND lone.given IS NULL THEN
        IF lone.key IS NOT NULL THEN
          PERFORM FROM conversation_messages m WHERE m.conversation_id = lone.c AND m.idempotency_key = lone.key
            UNION ALL SELECT FROM held_audio h WHERE h.conversation_id = lone.c AND h.key = lone.key;
        END IF;
        IF lone.key IS NULL OR NOT FOUND THEN
          v := old.version + 1;
          last := old.last_seq + CASE WHEN lone.h_id IS NULL THEN 1 ELSE 2 END;
          INSERT INTO conversation_messages (
            conversation_id, seq, id, tenant, turn_id, version, role, parts, message_type, voice_session_id,
            duration_seconds, tts_audio_urls, memory_retrieval_trace, metadata, created_at,
            idempotency_key, request_hash, recorded_version, speech_ended_at, first_audio_at)
          SELECT lone.c, last - 1, lone.h_id, lone.tenant, lone.h_id, v, 'human', ARRAY[lone.h_text], lone.h_type,
            lone.h_session, lone.h_seconds, NULL, NULL, lone.h_metadata, lone.h_at,
            lone.key, decode(lone.hash, 'hex'), v, lone.h_ended, NULL
          WHERE lone.h_id IS NOT NULL
          UNION ALL
          SELECT lone.c, last, lone.a_id, lone.tenant, coalesce(lone.h_id, lone.a_id), v, 'ai', lone.a_parts, 'text',
            NULL, NULL, lone.a_urls, lone.a_trace, lone.a_metadata, lone.a_at,
            CASE WHEN lone.h_id IS NULL THEN lone.key END,
            CASE WHEN lone.h_id IS NULL THEN decode(lone.hash, 'hex') END,
            CASE WHEN lone.h_id IS NULL THEN v END, NULL, lone.a_first;
          UPDATE conversations c SET version = v, last_seq = last,
            last_message_at = greatest(c.last_message_at, lone.a_at)
          WHERE c.id = lone.c;
          IF lone.h_session IS NOT NULL THEN
            INSERT INTO voice_sessions (conversation_id, id, tenant, version, started_at)
            VALUES (lone.c, lone.h_session, lone.tenant, v, lone.h_at) ON CONFLICT DO NOTHING;
            session_began := FOUND;
          END IF;
          RETURN QUERY SELECT lone.n, 'recorded', v, last - CASE WHEN lone.h_id IS NULL THEN 0 ELSE 1 END,
            v, NULL::uuid, NULL::text[], session_began;
          RETURN;
        END IF;
      END IF;
    END IF;
  ELSIF p_wait THEN
    SELECT array_agg(l.id) INTO held FROM (
      SELECT c.id FROM conversations c
      WHERE (c.tenant, c.id) IN (SELECT t.tenant, t.c FROM jsonb_to_recordset(p_turns) AS t(tenant text, c uuid))
      ORDER BY c.id FOR NO KEY UPDATE OF c
    ) l;
  ELSE
    SELECT array_agg(l.id) INTO held FROM (
      SELECT c.id FROM conversations c
      WHERE (c.tenant, c.id) IN (SELECT t.tenant, t.c FROM jsonb_to_recordset(p_turns) AS t(tenant text, c uuid))
      ORDER BY c.id FOR NO KEY UPDATE OF c SKIP LOCKED
    ) l;
  END IF;

  RETURN QUERY
  WITH t AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(p_turns) AS t(
      n integer, tenant text, c uuid, key text, hash text, given uuid[],
      h_id uuid, h_text text, h_type text, h_session text, h_seconds integer, h_metadata jsonb, h_at timestamptz,
      h_ended timestamptz,
      a_id uuid, a_parts text[], a_urls text[], a_trace jsonb, a_metadata jsonb, a_at timestamptz, a_first timestamptz,
      segment uuid, agent_response text, lineage jsonb, received timestamptz)
  ), head AS MATERIALIZED (
    SELECT c.id, c.tenant, c.version, c.last_seq, c.erased_at FROM conversations c WHERE c.id = ANY (held)
  ), twin AS MATERIALIZED (
    SELECT t.n, m.request_hash, m.recorded_version, m.turn_id, m.seq, m.opened_version
    FROM t CROSS JOIN LATERAL (
      SELECT * FROM conversation_messages m
      WHERE m.conversation_id = t.c AND m.idempotency_key = t.key LIMIT 1
    ) m
    WHERE t.key IS NOT NULL AND t.c = ANY (held)
  ), judged AS MATERIALIZED (
    SELECT t.*, head.version AS head_version, head.last_seq,
      twin.recorded_version AS twin_version, twin.turn_id AS twin_turn, twin.seq AS twin_seq,
      CASE
        WHEN head.id IS NULL THEN
          CASE WHEN (SELECT true FROM conversations c WHERE c.id = t.c AND c.tenant = t.tenant LIMIT 1)
            THEN 'locked' ELSE 'conversation-not-found' END
        WHEN head.erased_at IS NOT NULL THEN 'conversation-erased'
        WHEN twin.n IS NOT NULL THEN
          -- A turn that was opened is completed, not recorded, whatever its halves are.
          CASE WHEN twin.opened_version IS NULL AND twin.request_hash = decode(t.hash, 'hex')
            THEN 'replayed' ELSE 'idempotency-conflict' END
        WHEN t.segment IS NOT NULL AND (
          SELECT true FROM segments s WHERE s.conversation_id = t.c AND s.id = t.segment LIMIT 1
        ) IS NULL THEN 'segment-not-found'
        WHEN t.given IS NOT NULL AND (
          SELECT true FROM unnest(t.given) AS g(id) CROSS JOIN LATERAL (
            SELECT FROM conversation_messages m WHERE m.conversation_id = t.c AND m.id = g.id LIMIT 1
          ) taken LIMIT 1
        ) THEN 'id-taken'
        ELSE 'recorded'
      END AS outcome
    FROM t
    LEFT JOIN head ON head.id = t.c AND head.tenant = t.tenant
    LEFT JOIN twin ON twin.n = t.n
  ), good AS MATERIALIZED (
    SELECT j.*,
      j.head_version + row_number() OVER w AS v,
      (j.last_seq + sum(CASE WHEN j.h_id IS NULL THEN 1 ELSE 2 END) OVER w)::bigint AS a_seq,
      CASE WHEN (SELECT true FROM held_audio h WHERE h.conversation_id = j.c AND h.key = j.key LIMIT 1)
        THEN turnlog_join_audio_v1(j.c, j.key, j.a_parts, j.a_urls) END AS joined
    FROM judged j WHERE j.outcome = 'recorded'
    WINDOW w AS (PARTITION BY j.c ORDER BY j.n ROWS UNBOUNDED PRECEDING)
  ), written AS (
    INSERT INTO conversation_messages (
      conversation_id, seq, id, tenant, turn_id, version, role, parts, message_type, voice_session_id,
      duration_seconds, segment_id, tts_audio_urls, memory_retrieval_trace, metadata, created_at,
      idempotency_key, request_hash, recorded_version, speech_ended_at, first_audio_at)
    SELECT g.c, g.a_seq - 1, g.h_id, g.tenant, g.h_id, g.v, 'human', ARRAY[g.h_text], g.h_type, g.h_session,
      g.h_seconds, g.segment, NULL, NULL, g.h_metadata, g.h_at,
      g.key, decode(g.hash, 'hex'), g.v, g.h_ended, NULL
    FROM good g WHERE g.h_id IS NOT NULL
    UNION ALL
    SELECT g.c, g.a_seq, g.a_id, g.tenant, coalesce(g.h_id, g.a_id), g.v, 'ai', g.a_parts, 'text', NULL,
      NULL, g.segment, coalesce(g.joined, g.a_urls), g.a_trace, g.a_metadata, g.a_at,
      CASE WHEN g.h_id IS NULL THEN g.key END,
      CASE WHEN g.h_id IS NULL THEN decode(g.hash, 'hex') END,
      CASE WHEN g.h_id IS NULL THEN g.v END, NULL, g.a_first
    FROM good g
  ), touched AS (
    UPDATE conversations c SET version = g.v, last_seq = g.last,
      last_message_at = greatest(c.last_message_at, g.at)
    FROM (SELECT c, max(v) AS v, max(a_seq) AS last, max(a_at) AS at FROM good GROUP BY c) g
    WHERE c.id = g.c
    RETURNING c.id, c.version
  ), completed AS (
    UPDATE segments s SET version = g.v, user_message_id = g.h_id, agent_response = g.agent_response,
      lineage = g.lineage, updated_at = g.received
    FROM (
      SELECT DISTINCT ON (c, segment) * FROM good WHERE agent_response IS NOT NULL ORDER BY c, segment, n DESC
    ) g
    WHERE s.conversation_id = g.c AND s.id = g.segment
  ), began AS (
    INSERT INTO voice_sessions (conversation_id, id, tenant, version, started_at)
    SELECT DISTINCT ON (g.c, g.h_session) g.c, g.h_session, g.tenant, g.v, g.h_at
    FROM good g WHERE g.h_session IS NOT NULL ORDER BY g.c, g.h_session, g.n
    ON CONFLICT DO NOTHING
    RETURNING conversation_id, voice_sessions.version
  ), used AS (
    DELETE FROM held_audio h USING good g
    WHERE g.joined IS NOT NULL AND h.conversation_id = g.c AND h.key = g.key
  )
  SELECT j.n, j.outcome, coalesce(g.v, j.twin_version),
    coalesce(g.a_seq - CASE WHEN g.h_id IS NULL THEN 0 ELSE 1 END, j.twin_seq),
    coalesce(touched.version, j.head_version), j.twin_turn, g.joined, began.version IS NOT NULL
  FROM judged j
  LEFT JOIN good g ON g.n = j.n
  LEFT JOIN touched ON touched.id = j.c
  LEFT JOIN began ON began.conversation_id = g.c AND began.version = g.v
  ORDER BY j.n;
END $$;
--> statement-breakpoint
-- Records several plain turns at once: none names a segment or ids of its own. `p_ids` are their
-- conversations, each once and in order; beside each stand its tenant, how many turns and places it gets, and
-- the time of its last answer. `p_lines` has for each turn the index of its conversation in that list, and
-- beside it how many turns and places of that conversation come before. Keys and voice sessions are looked up
-- where `p_named` says that there are any. Any other case goes to turnlog_record_v2.
CREATE OR REPLACE FUNCTION turnlog_record_v3(
  p_turns jsonb, p_named boolean, p_ids uuid[], p_tenants text[], p_counts integer[], p_places integer[],
  p_ats timestamptz[], p_lines integer[], p_turns_before integer[], p_places_before integer[],
  p_lock_timeout_ms integer)
RETURNS TABLE (n integer, outcome text, version bigint, seq bigint, head bigint, turn_id uuid, urls text[], began boolean)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  held uuid[];
  tenants text[];
  versions bigint[];
  seqs bigint[];
BEGIN
  PERFORM turnlog_begin_v1(p_lock_timeout_ms);
  -- Not by `erased_at IS NULL`, which would let the plan walk the index of activity.
  SELECT array_agg(l.id) FILTER (WHERE l.erased_at IS NULL), array_agg(l.tenant) FILTER (WHERE l.erased_at IS NULL),
    array_agg(l.version), array_agg(l.last_seq)
  INTO held, tenants, versions, seqs FROM (
    SELECT c.id, c.tenant, c.version, c.last_seq, c.erased_at FROM conversations c
    WHERE c.id = ANY (p_ids) AND c.tenant = ANY (p_tenants)
    ORDER BY c.id FOR NO KEY UPDATE SKIP LOCKED) l;
  IF held = p_ids AND tenants = p_tenants AND (NOT p_named OR (
    SELECT true FROM jsonb_to_recordset(p_turns) AS t(n integer, key text, h_session text)
    WHERE CASE WHEN t.key IS NOT NULL THEN
        (SELECT true FROM conversation_messages m
          WHERE m.conversation_id = p_ids[p_lines[t.n + 1]] AND m.idempotency_key = t.key LIMIT 1)
        OR (SELECT true FROM held_audio h WHERE h.conversation_id = p_ids[p_lines[t.n + 1]] AND h.key = t.key LIMIT 1) END
      OR CASE WHEN t.h_session IS NOT NULL THEN
        (SELECT true FROM voice_sessions s
          WHERE s.conversation_id = p_ids[p_lines[t.n + 1]] AND s.id = t.h_session LIMIT 1) IS NULL END
    LIMIT 1) IS NULL) THEN
    INSERT INTO conversation_messages (
      conversation_id, seq, id, tenant, turn_id, version, role, parts, message_type, voice_session_id,
      duration_seconds, tts_audio_urls, memory_retrieval_trace, metadata, created_at,
      idempotency_key, request_hash, recorded_version, speech_ended_at, first_audio_at)
    SELECT p_ids[l.line], seqs[l.line] + p_places_before[t.n + 1] + CASE WHEN s.human OR t.h_id IS NULL THEN 1 ELSE 2 END,
      CASE WHEN s.human THEN t.h_id ELSE t.a_id END, p_tenants[l.line], coalesce(t.h_id, t.a_id), l.v,
      CASE WHEN s.human THEN 'human' ELSE 'ai' END,
      CASE WHEN s.human THEN ARRAY[t.h_text] ELSE t.a_parts END,
      CASE WHEN s.human THEN t.h_type ELSE 'text' END,
      CASE WHEN s.human THEN t.h_session END,
      CASE WHEN s.human THEN t.h_seconds END,
      CASE WHEN NOT s.human THEN t.a_urls END,
      CASE WHEN NOT s.human THEN t.a_trace END,
      CASE WHEN s.human THEN t.h_metadata ELSE t.a_metadata END,
      CASE WHEN s.human THEN t.h_at ELSE t.a_at END,
      CASE WHEN s.human = (t.h_id IS NOT NULL) THEN t.key END,
      CASE WHEN s.human = (t.h_id IS NOT NULL) THEN decode(t.hash, 'hex') END,
      CASE WHEN s.human = (t.h_id IS NOT NULL) THEN l.v END,
      CASE WHEN s.human THEN t.h_ended END,
      CASE WHEN NOT s.human THEN t.a_first END
    FROM jsonb_to_recordset(p_turns) AS t(
      n integer, key text, hash text,
      h_id uuid, h_text text, h_type text, h_session text, h_seconds integer, h_metadata jsonb, h_at timestamptz,
      h_ended timestamptz,
      a_id uuid, a_parts text[], a_urls text[], a_trace jsonb, a_metadata jsonb, a_at timestamptz, a_first timestamptz)
    CROSS JOIN LATERAL (SELECT p_lines[t.n + 1] AS line, versions[p_lines[t.n + 1]] + p_turns_before[t.n + 1] + 1 AS v) l
    CROSS JOIN (VALUES (true), (false)) AS s(human)
    WHERE t.h_id IS NOT NULL OR NOT s.human;
    UPDATE conversations c SET version = c.version + u.turns, last_seq = c.last_seq + u.places,
      last_message_at = greatest(c.last_message_at, u.at)
    FROM unnest(p_ids, p_counts, p_places, p_ats) AS u(id, turns, places, at)
    WHERE c.id = u.id AND c.id = ANY (p_ids);
    RETURN QUERY SELECT (u.n - 1)::integer, 'recorded', versions[u.line] + u.turns + 1, seqs[u.line] + u.places + 1,
        versions[u.line] + p_counts[u.line], NULL::uuid, NULL::text[], false
      FROM unnest(p_lines, p_turns_before, p_places_before) WITH ORDINALITY AS u(line, turns, places, n);
    RETURN;
  END IF;
  RETURN QUERY SELECT * FROM turnlog_record_v2(p_turns, false, p_lock_timeout_ms);
END $$;
--> statement-breakpoint
-- Creates a segment, or finds it.
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
-- Starts a voice session, or finds it. One that a turn made has no metadata and takes those given.
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
    -- Who speaks in it is no change of the conversation.
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
-- Reads the versions of many conversations, each found by its key. The statement by itself, planned while
-- the table was small, would scan it, and go on to once it has grown.
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
