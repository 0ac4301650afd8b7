-- Reads the versions of many conversations, each found by its key. Outside of a function, the statement may be planned
-- as a scan while the table is small, and the session keeps that plan when the table has grown.
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
