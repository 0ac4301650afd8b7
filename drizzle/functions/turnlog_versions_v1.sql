-- Reads the versions of many conversations, each found by its key. The statement by itself, planned while
-- the table was small, would scan it, and go on to once it has grown.
CREATE OR REPLACE FUNCTION turnlog_versions_v1(p_tenants text[], p_ids uuid[])
RETURNS TABLE (n bigint, version bigint, is_erased boolean)
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY SELECT a.n, c.version, c.erased_at IS NOT NULL
    FROM unnest(p_tenants, p_ids) WITH ORDINALITY a(tenant, id, n)
    CROSS JOIN LATERAL (SELECT c.version, c.erased_at FROM conversations c
      WHERE c.tenant = a.tenant AND c.id = a.id LIMIT 1) c;
END $$;
