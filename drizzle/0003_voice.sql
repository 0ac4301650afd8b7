CREATE TABLE "held_audio" (
	"conversation_id" uuid NOT NULL,
	"key" text NOT NULL,
	"part" integer NOT NULL,
	"tenant" text NOT NULL,
	"text_hash" "bytea" NOT NULL,
	"url" text NOT NULL,
	"expires_at" timestamp(6) with time zone NOT NULL,
	CONSTRAINT "held_audio_conversation_id_key_part_pk" PRIMARY KEY("conversation_id","key","part")
);
--> statement-breakpoint
CREATE TABLE "voice_sessions" (
	"conversation_id" uuid NOT NULL,
	"id" text NOT NULL,
	"tenant" text NOT NULL,
	"version" bigint NOT NULL,
	"metadata" jsonb,
	"started_at" timestamp(6) with time zone NOT NULL,
	"ended_at" timestamp(6) with time zone,
	"lease_until" timestamp(6) with time zone,
	CONSTRAINT "voice_sessions_conversation_id_id_pk" PRIMARY KEY("conversation_id","id")
);
--> statement-breakpoint
ALTER TABLE "conversation_messages" ADD COLUMN "state" text DEFAULT 'filled' NOT NULL;--> statement-breakpoint
ALTER TABLE "conversation_messages" ADD COLUMN "opened_version" bigint;--> statement-breakpoint
ALTER TABLE "conversation_messages" ADD COLUMN "seat_until" timestamp(6) with time zone;--> statement-breakpoint
ALTER TABLE "conversation_messages" ADD COLUMN "answer_seq" bigint;--> statement-breakpoint
ALTER TABLE "conversation_messages" ADD COLUMN "heard" jsonb;--> statement-breakpoint
ALTER TABLE "conversation_messages" ADD COLUMN "interrupted_at" timestamp(6) with time zone;--> statement-breakpoint
ALTER TABLE "conversation_messages" ADD COLUMN "speech_ended_at" timestamp(6) with time zone;--> statement-breakpoint
ALTER TABLE "conversation_messages" ADD COLUMN "first_audio_at" timestamp(6) with time zone;--> statement-breakpoint
ALTER TABLE "held_audio" ADD CONSTRAINT "held_audio_conversation_id_conversations_id_fk" FOREIGN KEY ("conversation_id") REFERENCES "public"."conversations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "voice_sessions" ADD CONSTRAINT "voice_sessions_conversation_id_conversations_id_fk" FOREIGN KEY ("conversation_id") REFERENCES "public"."conversations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "held_audio_by_expiry" ON "held_audio" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "voice_sessions_by_version" ON "voice_sessions" USING btree ("conversation_id","version");--> statement-breakpoint
CREATE INDEX "voice_sessions_by_start" ON "voice_sessions" USING btree ("conversation_id","started_at","id");--> statement-breakpoint
CREATE INDEX "voice_sessions_by_lease" ON "voice_sessions" USING btree ("lease_until") WHERE "voice_sessions"."ended_at" is null and "voice_sessions"."lease_until" is not null;--> statement-breakpoint
CREATE INDEX "messages_by_voice_session" ON "conversation_messages" USING btree ("conversation_id","voice_session_id") WHERE "conversation_messages"."voice_session_id" is not null;--> statement-breakpoint
CREATE INDEX "messages_pending" ON "conversation_messages" USING btree ("seat_until","conversation_id") WHERE "conversation_messages"."state" = 'pending';--> statement-breakpoint
CREATE INDEX "messages_pending_by_conversation" ON "conversation_messages" USING btree ("conversation_id","seq") WHERE "conversation_messages"."state" = 'pending';--> statement-breakpoint
ALTER TABLE "conversation_messages" ADD CONSTRAINT "messages_state" CHECK ("conversation_messages"."state" in ('filled', 'pending', 'expired'));
--> statement-breakpoint
-- The audio URLs of an answer: those it came with, and where a part has none the one that waited for
-- its very text.
CREATE FUNCTION turnlog_join_audio_v1(p_id uuid, p_key text, p_parts text[], p_urls text[]) RETURNS text[]
LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN count(h.url) = 0 THEN p_urls ELSE array_agg(coalesce(p_urls[n], h.url) ORDER BY n) END
  FROM generate_series(1, greatest(cardinality(p_parts), coalesce(cardinality(p_urls), 0))) AS n
  LEFT JOIN held_audio h ON h.conversation_id = p_id AND h.key = p_key AND h.part = n - 1
    AND h.text_hash = sha256(convert_to(p_parts[n], 'UTF8'))
$$;
--> statement-breakpoint
CREATE FUNCTION turnlog_record_v2(p_turns jsonb, p_wait boolean, p_lock_timeout_ms integer)
RETURNS TABLE (n integer, outcome text, version bigint, seq bigint, head bigint, turn_id uuid, urls text[], began boolean)
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
CREATE FUNCTION turnlog_attach_v2(
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
-- Gives the human message of a turn its place in the order, before there are words for it. The same
-- key again answers the seat.
CREATE FUNCTION turnlog_open_v1(
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
-- Fills the human half of an opened turn, its AI half, or both. A half that is there already must be
-- the same one. `human` and `answer` are the rows as they are then; `began`: a voice session began.
CREATE FUNCTION turnlog_complete_v1(p_turn jsonb, p_lock_timeout_ms integer)
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
-- Seats whose words did not come in time: each becomes an empty, marked message, and takes a version.
CREATE FUNCTION turnlog_expire_seats_v1(
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
CREATE FUNCTION turnlog_interrupt_v1(
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
-- Starts a voice session, or finds it. One that a turn made has no metadata and takes those given.
CREATE FUNCTION turnlog_start_voice_session_v1(
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
-- Ends a voice session; with p_idle_at, only where nobody has carried it on past that time.
CREATE FUNCTION turnlog_end_voice_session_v1(
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
-- Sessions that turns named before there were any.
INSERT INTO voice_sessions (conversation_id, id, tenant, version, started_at)
SELECT m.conversation_id, m.voice_session_id, min(m.tenant), min(m.version), min(m.created_at)
FROM conversation_messages m WHERE m.voice_session_id IS NOT NULL
GROUP BY m.conversation_id, m.voice_session_id;
--> statement-breakpoint
INSERT INTO turnlog_migrations (id, name, oldest_code) VALUES (3, 'voice', 1);
