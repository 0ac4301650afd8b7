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
