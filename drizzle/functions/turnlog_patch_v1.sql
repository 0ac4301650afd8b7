-- Replaces title, metadata and external id by the values that the caller merged into the row at p_self_version. If the
-- row has another self_version, the outcome is `stale`.
CREATE OR REPLACE FUNCTION turnlog_patch_v1(
  p_tenant text, p_id uuid, p_self_version bigint, p_if_match bigint, p_external_id text, p_title text,
  p_metadata jsonb, p_lock_timeout_ms integer)
RETURNS TABLE (outcome text, conversation conversations)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  old conversations%ROWTYPE;
BEGIN
  PERFORM turnlog_begin_v1(p_lock_timeout_ms);
  SELECT * INTO old FROM conversations c WHERE c.id = p_id AND c.tenant = p_tenant FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN QUERY SELECT 'conversation-not-found', old;
  ELSIF old.erased_at IS NOT NULL THEN
    RETURN QUERY SELECT 'conversation-erased', old;
  ELSIF p_if_match IS NOT NULL AND p_if_match <> old.version THEN
    RETURN QUERY SELECT 'version-mismatch', old;
  ELSIF old.self_version <> p_self_version THEN
    RETURN QUERY SELECT 'stale', old;
  ELSIF (old.external_id, old.title, old.metadata) IS NOT DISTINCT FROM (p_external_id, p_title, p_metadata) THEN
    RETURN QUERY SELECT 'unchanged', old;
  ELSE
    IF p_external_id IS DISTINCT FROM old.external_id THEN
      IF p_external_id IS NOT NULL THEN
        INSERT INTO conversation_external_ids (tenant, external_id, conversation_id)
        VALUES (p_tenant, p_external_id, p_id)
        ON CONFLICT (tenant, external_id) DO NOTHING;
        IF NOT FOUND THEN
          RETURN QUERY SELECT 'external-id-taken', old;
          RETURN;
        END IF;
      END IF;
      DELETE FROM conversation_external_ids x WHERE x.tenant = p_tenant AND x.external_id = old.external_id;
    END IF;
    UPDATE conversations c SET version = old.version + 1, self_version = old.version + 1,
      external_id = p_external_id, title = p_title, metadata = p_metadata
    WHERE c.id = p_id
    RETURNING * INTO old;
    RETURN QUERY SELECT 'patched', old;
  END IF;
END $$;
