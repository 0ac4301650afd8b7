-- Begins every write: sets how long it waits for a lock, pins its plans to indexes, and keeps it durable.
-- The settings last until the end of the transaction, which is the end of the call.
CREATE OR REPLACE FUNCTION turnlog_begin_v1(p_lock_timeout_ms integer) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  -- The fresh snapshot after the lock is what keeps order; other isolation levels have none.
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'turnlog needs the isolation level read committed';
  END IF;
  PERFORM set_config('lock_timeout', p_lock_timeout_ms || 'ms', true);
  -- A plan made while the tables were small is kept by the session. Every step of a write is a few
  -- rows found by a key, so whatever the statistics say, a scan or a hash is never the right plan.
  -- For one call its values would be planned for anew, which takes longer than the call.
  PERFORM set_config('plan_cache_mode', 'force_generic_plan', true);
  PERFORM set_config('enable_seqscan', 'off', true);
  PERFORM set_config('enable_hashjoin', 'off', true);
  PERFORM set_config('enable_mergejoin', 'off', true);
  IF current_setting('synchronous_commit') IN ('off', 'local') THEN
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;
END $$;
