-- Expires the seats whose words have not arrived in time. Each seat becomes an empty message with the state
-- `expired`, and takes a version.
CREATE OR REPLACE FUNCTION turnlog_expire_seats_v1(
  p_tenant text, p_id uuid, p_now timestamptz, p_max integer, p_lock_timeout_ms integer)
RETURNS TABLE (version bigint, message conversation_messages)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  old conversations%ROWTYPE;
  seat_seq bigint;
  v bigint;
  m conversation_messages%ROWTYPE;
BEGIN
  PERFORM turnlog_begin_v1(p_lock_timeout_ms);
  SELECT * INTO old FROM conversations c WHERE c.id = p_id AND c.tenant = p_tenant FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  v := old.version;
  FOR seat_seq IN
    SELECT x.seq FROM conversation_messages x
    WHERE x.conversation_id = p_id AND x.state = 'pending' AND x.seat_until <= p_now
    ORDER BY x.seq LIMIT p_max
  LOOP
    v := v + 1;
    UPDATE conversation_messages x SET state = 'expired', version = v
    WHERE x.conversation_id = p_id AND x.seq = seat_seq
    RETURNING * INTO m;
    RETURN QUERY SELECT v, m;
  END LOOP;
  UPDATE conversations c SET version = v WHERE c.id = p_id AND c.version < v;
END $$;
