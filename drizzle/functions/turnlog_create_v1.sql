-- Creates a conversation, or returns the one that the same body created before.
CREATE OR REPLACE FUNCTION turnlog_create_v1(
  p_tenant text, p_id uuid, p_id_given boolean, p_external_id text, p_title text, p_metadata jsonb,
  p_hash text, p_at timestamptz, p_lock_timeout_ms integer)
RETURNS TABLE (outcome text, conversation conversations)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  found_id uuid := p_id;
  old conversations%ROWTYPE;
BEGIN
  PERFORM turnlog_begin_v1(p_lock_timeout_ms);
  INSERT INTO conversations (id, tenant, version, self_version, last_seq, external_id, title, metadata, request_hash, created_at)
  VALUES (p_id, p_tenant, 1, 1, 0, p_external_id, p_title, p_metadata, decode(p_hash, 'hex'), p_at)
  ON CONFLICT (id) DO NOTHING
  RETURNING * INTO old;
  IF FOUND THEN
    IF p_external_id IS NULL THEN
      RETURN QUERY SELECT 'created', old;
      RETURN;
    END IF;
    INSERT INTO conversation_external_ids (tenant, external_id, conversation_id)
    VALUES (p_tenant, p_external_id, p_id)
    ON CONFLICT (tenant, external_id) DO NOTHING;
    IF FOUND THEN
      RETURN QUERY SELECT 'created', old;
      RETURN;
    END IF;
    -- Another conversation has the external id. The new row is deleted in the transaction that made it, so no other
    -- transaction ever sees it.
    DELETE FROM conversations c WHERE c.id = p_id;
    SELECT x.conversation_id INTO found_id FROM conversation_external_ids x
    WHERE x.tenant = p_tenant AND x.external_id = p_external_id;
  END IF;
  SELECT * INTO old FROM conversations c WHERE c.id = found_id;
  RETURN QUERY SELECT
    CASE
      WHEN old.id = p_id AND old.tenant <> p_tenant THEN 'conversation-taken'
      WHEN old.id = p_id AND old.erased_at IS NOT NULL THEN 'conversation-erased'
      WHEN (old.id = p_id OR NOT p_id_given) AND old.request_hash = decode(p_hash, 'hex') THEN 'existing'
      WHEN old.id = p_id THEN 'conversation-taken'
      ELSE 'external-id-taken'
    END, old;
END $$;
