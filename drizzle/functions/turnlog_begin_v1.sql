-- Begins every write. It sets how long the write waits for a lock, makes its plans use indexes, and makes its commit
-- durable. The settings last until the end of the transaction, which is the end of the call.
CREATE OR REPLACE FUNCTION turnlog_begin_v1(p_lock_timeout_ms integer) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  -- Writes keep their order because each statement after the lock reads a new snapshot. Other isolation levels do
  -- not take one.
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'turnlog needs the isolation level read committed';
  END IF;
  PERFORM set_config('lock_timeout', p_lock_timeout_ms || 'ms', true);
  -- The session keeps the plans that it made while the tables were small. Every step of a write finds a few rows by a
  -- key, so a scan or a hash is never the right plan, whatever the statistics say. Plans are generic, because planning
  -- for the values of one call takes longer than the call.
  PERFORM set_config('plan_cache_mode', 'force_generic_plan', true);
  PERFORM set_config('enable_seqscan', 'off', true);
  PERFORM set_config('enable_hashjoin', 'off', true);
  PERFORM set_config('enable_mergejoin', 'off', true);
  IF current_setting('synchronous_commit') IN ('off', 'local') THEN
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;
END $$;
