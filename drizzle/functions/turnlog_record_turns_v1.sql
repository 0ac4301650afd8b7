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
      idempotency_key, request_hash, recorded_version, {{columns}})
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
      CASE WHEN is_human = (t.human_id IS NOT NULL) THEN l.v END, {{either t}}
    FROM jsonb_to_recordset(turns) AS t(
      n integer, key text, hash text, segment uuid,
      human_id uuid, human_text text, human_message_type text, human_created_at timestamptz,
      assistant_id uuid, assistant_parts text[], assistant_created_at timestamptz, {{definitions}})
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
