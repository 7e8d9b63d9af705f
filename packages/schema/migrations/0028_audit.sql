-- Requests that come meanwhile have to wait, so an upgrade that meets a long transaction gives way and begins again.
SET LOCAL lock_timeout = '500ms';
--> statement-breakpoint
LOCK TABLE cases, sessions, videos, script_versions, report_versions IN SHARE ROW EXCLUSIVE MODE;
--> statement-breakpoint
CREATE TABLE "audit_events" (
	"id" bigint NOT NULL GENERATED ALWAYS AS IDENTITY (sequence name "audit_events_id_seq"),
	"at" timestamp with time zone DEFAULT now() NOT NULL,
	"actor" text NOT NULL,
	"user_id" integer,
	"action" text NOT NULL,
	"kind" text NOT NULL,
	"case_id" integer,
	"session_id" integer,
	"version" integer,
	"result" smallint DEFAULT 0 NOT NULL,
	"request_id" text,
	"address" inet,
	PRIMARY KEY ("id", "at"),
	CONSTRAINT "audit_events_actor_known" CHECK ("actor" in ('therapist', 'analysis', 'operator', 'worker', 'service', 'command')),
	CONSTRAINT "audit_events_action_known" CHECK ("action" in ('create', 'read', 'update', 'delete', 'export', 'link', 'refused'))
) PARTITION BY RANGE ("at");
--> statement-breakpoint
CREATE INDEX "audit_events_case_id_id_index" ON "audit_events" USING btree ("case_id", "id");
--> statement-breakpoint
-- Events are hashed in the order of their ids, each together with the hash before; a seal has up to 1,000 of them.
CREATE TABLE "audit_seals" (
	"last_id" bigint PRIMARY KEY,
	"ids" bigint[] NOT NULL,
	"moments" timestamp with time zone[] NOT NULL,
	"previous" bytea NOT NULL,
	"hashes" bytea NOT NULL,
	"first_at" timestamp with time zone NOT NULL,
	"last_at" timestamp with time zone NOT NULL,
	"sealed_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit trail is never changed' USING ERRCODE = 'insufficient_privilege';
END $$;
--> statement-breakpoint
-- Partitions inherit it.
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON audit_events FOR EACH ROW EXECUTE FUNCTION refuse_audit_change();
--> statement-breakpoint
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON audit_events FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();
--> statement-breakpoint
CREATE TRIGGER refuse_change BEFORE UPDATE OR TRUNCATE ON audit_seals FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();
--> statement-breakpoint
-- What no other partition has: no request may fail because a month was not made.
CREATE TABLE audit_events_other PARTITION OF audit_events DEFAULT;
--> statement-breakpoint
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON audit_events_other FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();
--> statement-breakpoint
-- Makes the partitions of this month and the next three, in UTC. A month of which audit_events_other has events already stays there.
-- Other statements would wait behind a lock that a long one, such as a dump, keeps from us: it is asked for again an hour later. Two
-- workers may make the same one at once. All functions search the schema of temporary tables last, so that none of these takes the
-- place of a table, and nobody but the owner can call the two that change partitions until the owner lets a role do so.
CREATE FUNCTION make_audit_partitions() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '500ms' AS $$
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
    EXCEPTION WHEN check_violation OR lock_not_available OR duplicate_table OR unique_violation THEN
      NULL;
    END;
  END LOOP;
END $$;
--> statement-breakpoint
REVOKE EXECUTE ON FUNCTION make_audit_partitions() FROM PUBLIC;
--> statement-breakpoint
SELECT make_audit_partitions();
--> statement-breakpoint
-- How long the trail is kept is said by a row that only the owner changes, when it migrates.
ALTER TABLE "installation" ADD COLUMN "audit_years" integer DEFAULT 6 NOT NULL;
--> statement-breakpoint
-- Drops partitions that ended so many years ago, and their seals; returns how many.
CREATE FUNCTION drop_audit_partitions() RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '500ms' AS $$
DECLARE
  month CONSTANT timestamp := date_trunc('month', now() AT TIME ZONE 'UTC')
    - make_interval(years => (SELECT greatest(audit_years, 1) FROM installation));
  name text;
  dropped integer := 0;
BEGIN
  FOR name IN
    SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = 'audit_events'::regclass AND relname ~ '^audit_events_\d{4}_\d\d$'
      AND relname < 'audit_events_' || to_char(month, 'YYYY_MM')
    ORDER BY relname
  LOOP
    EXECUTE format('DROP TABLE %I', name);
    dropped := dropped + 1;
  END LOOP;
  DELETE FROM audit_seals WHERE last_at < month AT TIME ZONE 'UTC'
    AND NOT EXISTS (SELECT FROM audit_events_other WHERE at < month AT TIME ZONE 'UTC');
  RETURN dropped;
END $$;
--> statement-breakpoint
REVOKE EXECUTE ON FUNCTION drop_audit_partitions() FROM PUBLIC;
--> statement-breakpoint
-- Writes the event of a change. Its transaction may name the cause (src/audit.ts); otherwise the connection says which program it was.
CREATE FUNCTION audit_change(action text, kind text, its_case integer, its_session integer, version integer) RETURNS void LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  cause CONSTANT jsonb := nullif(current_setting('playtherapy.cause', true), '')::jsonb;
BEGIN
  INSERT INTO audit_events (actor, user_id, action, kind, case_id, session_id, version, request_id, address)
  VALUES (
    coalesce(cause ->> 'actor', CASE current_setting('application_name')
      WHEN 'worker' THEN 'worker' WHEN 'contents' THEN 'service' WHEN 'media' THEN 'service' WHEN 'script' THEN 'service'
      ELSE 'command' END),
    (cause ->> 'userId')::integer, action, kind, its_case, its_session, version, cause ->> 'requestId',
    (cause ->> 'address')::inet);
END $$;
--> statement-breakpoint
CREATE FUNCTION audit_case() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  PERFORM audit_change(TG_ARGV[0], 'case', coalesce(NEW.id, OLD.id), NULL, NULL);
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER audit_creation AFTER INSERT ON cases FOR EACH ROW EXECUTE FUNCTION audit_case('create');
--> statement-breakpoint
-- An upgrade that makes the searched text anew changes nothing that is seen.
CREATE TRIGGER audit_change AFTER UPDATE ON cases FOR EACH ROW
  WHEN ((OLD.user_id, OLD.given_name, OLD.family_name, OLD.description, OLD.case_state_id, OLD.updated_at)
    IS DISTINCT FROM (NEW.user_id, NEW.given_name, NEW.family_name, NEW.description, NEW.case_state_id, NEW.updated_at))
  EXECUTE FUNCTION audit_case('update');
--> statement-breakpoint
CREATE TRIGGER audit_deletion AFTER DELETE ON cases FOR EACH ROW EXECUTE FUNCTION audit_case('delete');
--> statement-breakpoint
-- What goes with its case is told by the event of the case.
CREATE FUNCTION audit_session() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  IF TG_OP <> 'DELETE' OR EXISTS (SELECT FROM cases WHERE id = OLD.case_id) THEN
    PERFORM audit_change(TG_ARGV[0], 'session', coalesce(NEW.case_id, OLD.case_id), coalesce(NEW.id, OLD.id), NULL);
  END IF;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER audit_creation AFTER INSERT ON sessions FOR EACH ROW EXECUTE FUNCTION audit_session('create');
--> statement-breakpoint
-- A therapist's change sets the name, also where it is the same.
CREATE TRIGGER audit_change AFTER UPDATE OF name ON sessions FOR EACH ROW EXECUTE FUNCTION audit_session('update');
--> statement-breakpoint
CREATE TRIGGER audit_deletion AFTER DELETE ON sessions FOR EACH ROW EXECUTE FUNCTION audit_session('delete');
--> statement-breakpoint
-- A recording or a version; its number is the id of the recording, or that of the version. What goes with its session is told by that.
CREATE FUNCTION audit_part() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  part CONSTANT jsonb := to_jsonb(coalesce(NEW, OLD));
  number CONSTANT integer := coalesce(part ->> 'version', part ->> 'id')::integer;
BEGIN
  PERFORM audit_change(TG_ARGV[0], TG_ARGV[1], case_id, id, number) FROM sessions WHERE id = (part ->> 'session_id')::integer;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER audit_link AFTER INSERT ON videos FOR EACH ROW WHEN (NEW.state = 'presigned') EXECUTE FUNCTION audit_part('link', 'video');
--> statement-breakpoint
CREATE TRIGGER audit_creation AFTER INSERT ON videos FOR EACH ROW WHEN (NEW.state <> 'presigned') EXECUTE FUNCTION audit_part('create', 'video');
--> statement-breakpoint
-- It is durable, encoded, or to be encoded again.
CREATE TRIGGER audit_change AFTER UPDATE ON videos FOR EACH ROW
  WHEN (OLD.stored_at IS DISTINCT FROM NEW.stored_at OR (OLD.state <> NEW.state AND NEW.state IN ('stored', 'encoded')))
  EXECUTE FUNCTION audit_part('update', 'video');
--> statement-breakpoint
CREATE TRIGGER audit_deletion AFTER DELETE ON videos FOR EACH ROW EXECUTE FUNCTION audit_part('delete', 'video');
--> statement-breakpoint
CREATE TRIGGER audit_creation AFTER UPDATE ON script_versions FOR EACH ROW
  WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION audit_part('create', 'script');
--> statement-breakpoint
CREATE TRIGGER audit_deletion AFTER DELETE ON script_versions FOR EACH ROW
  WHEN (OLD.state = 'stored') EXECUTE FUNCTION audit_part('delete', 'script');
--> statement-breakpoint
CREATE TRIGGER audit_creation AFTER UPDATE ON report_versions FOR EACH ROW
  WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION audit_part('create', 'report');
--> statement-breakpoint
CREATE TRIGGER audit_deletion AFTER DELETE ON report_versions FOR EACH ROW
  WHEN (OLD.state = 'stored') EXECUTE FUNCTION audit_part('delete', 'report');
