-- Seats whose words did not come in time: each becomes an empty, marked message, and takes a version.
CREATE OR REPLACE FUNCTION turnlog_expire_seats_v1(
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
