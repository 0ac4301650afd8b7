-- Returns the audio URLs of an answer: those in the request, and for a part without one the URL that was held for the
-- same text.
CREATE OR REPLACE FUNCTION turnlog_join_audio_v1(p_id uuid, p_key text, p_parts text[], p_urls text[]) RETURNS text[]
LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN count(h.url) = 0 THEN p_urls ELSE array_agg(coalesce(p_urls[n], h.url) ORDER BY n) END
  FROM generate_series(1, greatest(cardinality(p_parts), coalesce(cardinality(p_urls), 0))) AS n
  LEFT JOIN held_audio h ON h.conversation_id = p_id AND h.key = p_key AND h.part = n - 1
    AND h.text_hash = sha256(convert_to(p_parts[n], 'UTF8'))
$$;
