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
