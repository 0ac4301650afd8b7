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
