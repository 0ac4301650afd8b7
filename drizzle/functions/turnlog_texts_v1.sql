-- Returns the texts of a JSON array, nulls included. It is STRICT, so that Postgres does not call it for NULL, which
-- most turns have.
CREATE OR REPLACE FUNCTION turnlog_texts_v1(p_array jsonb) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
  RETURN ARRAY(SELECT e.value FROM jsonb_array_elements_text(p_array) WITH ORDINALITY AS e(value, n) ORDER BY e.n);
END $$;
