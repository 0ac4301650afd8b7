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
        idempotency_key, request_hash, recorded_version, {{columns}})
      SELECT p_conversation_id, last - 1, p_human_id, p_tenant, p_human_id, v, 'human',
        ARRAY[p_human_text], p_human_message_type, segment, p_human_created_at,
        p_key, decode(p_hash, 'hex'), v, {{human json p_rest}}
      WHERE p_human_id IS NOT NULL
      UNION ALL
      SELECT p_conversation_id, last, p_assistant_id, p_tenant, coalesce(p_human_id, p_assistant_id), v, 'ai',
        p_assistant_parts, 'text', segment, p_assistant_created_at,
        CASE WHEN p_human_id IS NULL THEN p_key END,
        CASE WHEN p_human_id IS NULL THEN decode(p_hash, 'hex') END,
        CASE WHEN p_human_id IS NULL THEN v END, {{assistant json p_rest}};
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
