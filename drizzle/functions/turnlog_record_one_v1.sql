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
