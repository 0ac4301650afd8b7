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
