ALTER TABLE "script_pages" ADD COLUMN "folding" smallint DEFAULT 1 NOT NULL;
--> statement-breakpoint
-- NFC, as `compose` of src/fold.ts. U+034F separates the groups of a long run of marks, because PostgreSQL, too, needs
-- time by the square of its length. The ranges are those without marks: ASCII, Latin, Greek, Cyrillic, Korean, kana, Han.
CREATE FUNCTION search_compose(value text) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN replace(normalize(regexp_replace(
    value,
    '([^ -~\u00a0-\u02ff\u0370-\u0482\u1100-\u11ff\u1e00-\u20cf\u2100-\u2cee\u2e00-\u3029\u3030-\u3098\u309b-\ua66e\uac00-\ud7ff\uf900-\ufb1d\uff00-\uffef\U0001f000-\U0003ffff]{30})',
    '\1' || U&'\034F', 'g'), NFC), U&'\034F', '');
--> statement-breakpoint
-- A text as searches compare it, as `fold` of src/fold.ts. First go the characters that nobody sees (Unicode's property
-- Default_Ignorable_Code_Point), then white space becomes a space. So no value has the U+001F that separates values.
-- Processes of older releases call it too. Texts that they stored before are folded again by src/migrate.ts.
CREATE OR REPLACE FUNCTION search_fold(value text) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN search_compose(regexp_replace(
    translate(lower(regexp_replace(
      regexp_replace(
        value,
        '[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+',
        '', 'g'),
      'İ|I\u0307', 'i', 'g')), 'ς', 'σ'),
    '[\t-\r\u001f \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+', ' ', 'g'));
