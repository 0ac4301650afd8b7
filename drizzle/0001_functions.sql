-- The writes. Each is one autocommitted call: it locks the conversation's row first, reads what it
-- must in a new statement (so in a fresh snapshot, after the lock), and answers an outcome. A name
-- carries a version, so that nodes of two releases can run beside each other on one database.

CREATE FUNCTION turnlog_begin_v1(p_lock_timeout_ms integer) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  -- The fresh snapshot after the lock is what keeps order; other isolation levels have none.
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'turnlog needs the isolation level read committed';
  END IF;
  PERFORM set_config('lock_timeout', p_lock_timeout_ms || 'ms', true);
  -- A plan made while the tables were small is kept by the session. Every step of a write is a few
  -- rows found by a key, so whatever the statistics say, a scan or a hash is never the right plan.
  PERFORM set_config('enable_seqscan', 'off', true);
  PERFORM set_config('enable_hashjoin', 'off', true);
  PERFORM set_config('enable_mergejoin', 'off', true);
  IF current_setting('synchronous_commit') IN ('off', 'local') THEN
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;
END $$;
--> statement-breakpoint
-- Records a batch of turns. Conversations that another writer holds are answered `locked` and left
-- alone, unless p_wait says to wait for them. Answers one row a turn, by its number `n`.
CREATE FUNCTION turnlog_record_v1(p_turns jsonb, p_wait boolean, p_lock_timeout_ms integer)
RETURNS TABLE (n integer, outcome text, version bigint, seq bigint, head bigint, turn_id uuid)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  held uuid[];
BEGIN
  PERFORM turnlog_begin_v1(p_lock_timeout_ms);
  IF p_wait THEN
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
      a_id uuid, a_parts text[], a_urls text[], a_trace jsonb, a_metadata jsonb, a_at timestamptz,
      segment uuid, agent_response text, lineage jsonb, received timestamptz)
  ), head AS MATERIALIZED (
    SELECT c.id, c.tenant, c.version, c.last_seq, c.erased_at FROM conversations c WHERE c.id = ANY (held)
  ), twin AS MATERIALIZED (
    SELECT t.n, m.request_hash, m.recorded_version, m.turn_id, m.seq
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
          CASE WHEN twin.request_hash = decode(t.hash, 'hex') THEN 'replayed' ELSE 'idempotency-conflict' END
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
      (j.last_seq + sum(CASE WHEN j.h_id IS NULL THEN 1 ELSE 2 END) OVER w)::bigint AS a_seq
    FROM judged j WHERE j.outcome = 'recorded'
    WINDOW w AS (PARTITION BY j.c ORDER BY j.n ROWS UNBOUNDED PRECEDING)
  ), written AS (
    INSERT INTO conversation_messages (
      conversation_id, seq, id, tenant, turn_id, version, role, parts, message_type, voice_session_id,
      duration_seconds, segment_id, tts_audio_urls, memory_retrieval_trace, metadata, created_at,
      idempotency_key, request_hash, recorded_version)
    SELECT g.c, g.a_seq - 1, g.h_id, g.tenant, g.h_id, g.v, 'human', ARRAY[g.h_text], g.h_type, g.h_session,
      g.h_seconds, g.segment, NULL, NULL, g.h_metadata, g.h_at,
      g.key, decode(g.hash, 'hex'), g.v
    FROM good g WHERE g.h_id IS NOT NULL
    UNION ALL
    SELECT g.c, g.a_seq, g.a_id, g.tenant, coalesce(g.h_id, g.a_id), g.v, 'ai', g.a_parts, 'text', NULL,
      NULL, g.segment, g.a_urls, g.a_trace, g.a_metadata, g.a_at,
      CASE WHEN g.h_id IS NULL THEN g.key END,
      CASE WHEN g.h_id IS NULL THEN decode(g.hash, 'hex') END,
      CASE WHEN g.h_id IS NULL THEN g.v END
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
  )
  SELECT j.n, j.outcome, coalesce(g.v, j.twin_version),
    coalesce(g.a_seq - CASE WHEN g.h_id IS NULL THEN 0 ELSE 1 END, j.twin_seq),
    coalesce(touched.version, j.head_version), j.twin_turn
  FROM judged j
  LEFT JOIN good g ON g.n = j.n
  LEFT JOIN touched ON touched.id = j.c
  ORDER BY j.n;
END $$;
--> statement-breakpoint
-- Creates a conversation, or finds the one that the same body created before.
CREATE FUNCTION turnlog_create_v1(
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
-- Replaces title, metadata and external id by what the caller merged from the row at p_self_version.
CREATE FUNCTION turnlog_patch_v1(
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
CREATE FUNCTION turnlog_segment_v1(
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
-- Attaches audio to the AI message p_message, or to the latest one. p_urls replaces all, else p_url
-- sets part p_part. What changes nothing takes no version.
CREATE FUNCTION turnlog_attach_v1(
  p_tenant text, p_id uuid, p_message uuid, p_urls text[], p_part integer, p_url text, p_segment uuid,
  p_update_segment boolean, p_at timestamptz, p_lock_timeout_ms integer)
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
  IF p_message IS NULL THEN
    -- Every turn ends with an AI message, so the latest is the last.
    SELECT * INTO msg FROM conversation_messages m
    WHERE m.conversation_id = p_id AND m.seq = old.last_seq AND m.role = 'ai';
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
-- Deletes what the conversation holds and keeps its row, so that the id is never used again. A
-- repeated erasure answers the first one's receipt.
CREATE FUNCTION turnlog_erase_v1(p_tenant text, p_id uuid, p_at timestamptz, p_lock_timeout_ms integer)
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
    DELETE FROM conversation_external_ids x WHERE x.tenant = p_tenant AND x.external_id = old.external_id;
    UPDATE conversations c SET version = old.version + 1, self_version = old.version + 1,
      external_id = NULL, title = NULL, metadata = NULL, request_hash = NULL,
      erased_at = p_at, erased_messages = gone_messages, erased_segments = gone_segments
    WHERE c.id = p_id;
    RETURN QUERY SELECT 'erased', old.version + 1, p_at, gone_messages, gone_segments;
  END IF;
END $$;
--> statement-breakpoint
INSERT INTO turnlog_migrations (id, name, oldest_code) VALUES (0, 'tables', 1), (1, 'functions', 1);
