-- A keyword is compared in lower case. U+001F stands between two values, so neither a value nor a keyword may have it.
CREATE FUNCTION search_fold(value text) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN lower(translate(value, U&'\001F', ' '));
--> statement-breakpoint
-- The names of a case and the values, not the keys, of its description: strings and numbers at any depth.
CREATE FUNCTION case_search_text(given_name text, family_name text, description jsonb) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN search_fold(given_name) || U&'\001F' || search_fold(coalesce(family_name, '')) || U&'\001F' || coalesce((
    SELECT string_agg(search_fold(value #>> '{}'), U&'\001F')
    FROM jsonb_path_query(description, 'strict $.**') AS value
    WHERE jsonb_typeof(value) IN ('string', 'number')
  ), '');
--> statement-breakpoint
ALTER TABLE "cases" ADD COLUMN "search_text" text GENERATED ALWAYS AS (case_search_text("cases"."given_name", "cases"."family_name", "cases"."description")) STORED;