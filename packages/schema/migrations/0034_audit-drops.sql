SET LOCAL lock_timeout = '500ms';
--> statement-breakpoint
ALTER TABLE "installation" ADD COLUMN "audit_due_at" timestamp with time zone;
--> statement-breakpoint
-- Drops the oldest partition if it ended so many years ago, and the seals before the first one that has to stay; returns how many
-- partitions went. A clock that jumps years ahead makes all of them look old, and the events that are written then look as new as
-- the clock, so that the trail itself cannot tell. Hence a month goes only when it has been due for a week, and the next one a week
-- later: a clock that is set right within a week has cost nothing, a week more one month. Months come more slowly than they may go,
-- so that an installation that was off for long gets rid of what is old, too. The moment is forgotten when nothing is due, and taken
-- anew when it lies ahead, as after a clock that was wrong. Its row is locked, so that workers drop one after another.
-- Seals are in the order of the ids, and an event has the moment when its transaction began: one from a long transaction is older than
-- those sealed before it, so that only what comes before all younger seals may go.
CREATE OR REPLACE FUNCTION drop_audit_partitions() RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '500ms' AS $$
DECLARE
  years integer;
  due timestamptz;
  month timestamp;
  names text[];
  kept timestamptz;
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
  DELETE FROM audit_seals
    WHERE last_id < coalesce((SELECT min(last_id) FROM audit_seals WHERE last_at >= kept), 9223372036854775807)
    AND NOT EXISTS (SELECT FROM audit_events_other WHERE at < kept);
  RETURN 1;
END $$;
