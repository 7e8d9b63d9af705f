SET LOCAL lock_timeout = '500ms';
--> statement-breakpoint
-- As before, and it drops audit_events_other, too, when all of its events are old, because they may be kept no longer than those of a
-- month. It is made anew at once. Those that a clock set wrong says are old are not: the seals after them, or before them, are young.
-- Until it goes, no seal from its first event on may go.
CREATE OR REPLACE FUNCTION drop_audit_partitions() RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '500ms' AS $$
DECLARE
  years integer;
  due timestamptz;
  month timestamp;
  names text[];
  kept timestamptz;
  -- The last event whose seal may go: all younger seals come after it.
  gone bigint;
BEGIN
  SELECT greatest(audit_years, 1), audit_due_at INTO years, due FROM installation FOR UPDATE;
  month := date_trunc('month', now() AT TIME ZONE 'UTC') - make_interval(years => years);
  SELECT array_agg(relname ORDER BY relname) INTO names FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = 'audit_events'::regclass AND relname ~ '^audit_events_\d{4}_\d\d$';
  IF coalesce(names[1] >= 'audit_events_' || to_char(month, 'YYYY_MM'), true) THEN
    UPDATE installation SET audit_due_at = NULL WHERE audit_due_at IS NOT NULL;
    RETURN 0;
  END IF;
  IF due IS NULL OR due > now() THEN
    UPDATE installation SET audit_due_at = now();
    RETURN 0;
  END IF;
  IF due > now() - interval '7 days' THEN
    RETURN 0;
  END IF;
  EXECUTE format('DROP TABLE %I', names[1]);
  UPDATE installation SET audit_due_at = now();
  -- A month that is old and still there has its seals. Without a second partition the least is the month.
  kept := least(month, to_date(right(names[2], 7), 'YYYY_MM')::timestamp) AT TIME ZONE 'UTC';
  gone := (SELECT max(last_id) FROM audit_seals
    WHERE last_id < coalesce((SELECT min(last_id) FROM audit_seals WHERE last_at >= kept), 9223372036854775807));
  IF (SELECT max(id) FROM audit_events_other) <= gone THEN
    DROP TABLE audit_events_other;
    CREATE TABLE audit_events_other PARTITION OF audit_events DEFAULT;
    CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON audit_events_other FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();
  END IF;
  DELETE FROM audit_seals
    WHERE last_id <= gone AND last_id < coalesce((SELECT min(id) FROM audit_events_other), 9223372036854775807);
  RETURN 1;
END $$;
--> statement-breakpoint
-- As before, and of two workers that make the same partition at the same time the second may also meet its row type.
CREATE OR REPLACE FUNCTION make_audit_partitions() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '500ms' AS $$
DECLARE
  month timestamp;
  name text;
BEGIN
  FOR months IN 0..3 LOOP
    month := date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => months);
    name := 'audit_events_' || to_char(month, 'YYYY_MM');
    CONTINUE WHEN to_regclass(name) IS NOT NULL;
    BEGIN
      EXECUTE format('CREATE TABLE %I (LIKE audit_events INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name);
      EXECUTE format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()', name);
      EXECUTE format('ALTER TABLE audit_events ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name,
        month AT TIME ZONE 'UTC', (month + interval '1 month') AT TIME ZONE 'UTC');
    EXCEPTION WHEN check_violation OR lock_not_available OR duplicate_table OR duplicate_object OR unique_violation THEN
      NULL;
    END;
  END LOOP;
END $$;
