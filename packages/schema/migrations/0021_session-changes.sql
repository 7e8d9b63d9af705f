CREATE TABLE "session_changes" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "session_changes_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"user_id" integer NOT NULL,
	"case_id" integer NOT NULL,
	"session_id" integer,
	"created_at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);
--> statement-breakpoint
CREATE INDEX "session_changes_user_id_id_index" ON "session_changes" USING btree ("user_id","id");
--> statement-breakpoint
-- Remembers a change and wakes who listens. Its callers run at COMMIT, and the lock is held until the transaction has ended, so
-- that numbers become visible in their order: who has seen one has seen all smaller ones. Transactions that notify commit one
-- after the other in any case, and after this lock they wait for no other.
CREATE FUNCTION log_session_change(therapist integer, its_case integer, its_session integer) RETURNS void LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(20261126);
  INSERT INTO session_changes (user_id, case_id, session_id) VALUES (therapist, its_case, its_session);
  PERFORM pg_notify('session_changes', '');
END $$;
--> statement-breakpoint
-- Remembers whose a case was until the end of the transaction that deletes it, for the deletions of its sessions.
CREATE FUNCTION remember_therapist() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
  PERFORM set_config('playtherapy.therapists', (
    coalesce(nullif(current_setting('playtherapy.therapists', true), ''), '{}')::jsonb
      || jsonb_build_object(OLD.id, OLD.user_id))::text, true);
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER remember_therapist AFTER DELETE ON cases FOR EACH ROW EXECUTE FUNCTION remember_therapist();
--> statement-breakpoint
CREATE FUNCTION therapist_of(its_case integer) RETURNS integer LANGUAGE plpgsql STABLE SET search_path = public AS $$
BEGIN
  RETURN coalesce((SELECT user_id FROM cases WHERE id = its_case),
    (nullif(current_setting('playtherapy.therapists', true), '')::jsonb ->> its_case::text)::integer);
END $$;
--> statement-breakpoint
-- A case that is deleted, or given to another therapist with all its sessions.
CREATE FUNCTION log_case_change() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    PERFORM log_session_change(therapist, OLD.id, sessions.id)
      FROM sessions, unnest(ARRAY[OLD.user_id, NEW.user_id]) AS therapist WHERE sessions.case_id = OLD.id;
  END IF;
  PERFORM log_session_change(OLD.user_id, OLD.id, NULL);
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE CONSTRAINT TRIGGER log_case_deletion AFTER DELETE ON cases
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION log_case_change();
--> statement-breakpoint
CREATE CONSTRAINT TRIGGER log_case_change AFTER UPDATE ON cases
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.user_id <> NEW.user_id) EXECUTE FUNCTION log_case_change();
--> statement-breakpoint
CREATE FUNCTION log_own_change() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
  its_case CONSTANT integer := coalesce(NEW.case_id, OLD.case_id);
BEGIN
  PERFORM log_session_change(therapist_of(its_case), its_case, coalesce(NEW.id, OLD.id));
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE CONSTRAINT TRIGGER log_session AFTER INSERT OR DELETE ON sessions
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION log_own_change();
--> statement-breakpoint
CREATE CONSTRAINT TRIGGER log_session_change AFTER UPDATE ON sessions
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  WHEN ((OLD.name, OLD.session_state_id, OLD.encoding_state_id, OLD.script_state_id, OLD.analyze_state_id, OLD.video_length,
      OLD.video_id, OLD.rendition_id, OLD.script_version_id, OLD.report_version_id)
    IS DISTINCT FROM (NEW.name, NEW.session_state_id, NEW.encoding_state_id, NEW.script_state_id, NEW.analyze_state_id,
      NEW.video_length, NEW.video_id, NEW.rendition_id, NEW.script_version_id, NEW.report_version_id))
  EXECUTE FUNCTION log_own_change();
--> statement-breakpoint
-- A recording that comes, changes its state or goes. The deletion of its session is logged with the session.
CREATE FUNCTION log_video_change() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
  PERFORM log_session_change(cases.user_id, cases.id, sessions.id)
    FROM sessions JOIN cases ON cases.id = sessions.case_id WHERE sessions.id = coalesce(NEW.session_id, OLD.session_id);
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE CONSTRAINT TRIGGER log_video AFTER INSERT ON videos
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.state <> 'presigned') EXECUTE FUNCTION log_video_change();
--> statement-breakpoint
CREATE CONSTRAINT TRIGGER log_video_change AFTER UPDATE ON videos
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  WHEN ((OLD.state, OLD.failure) IS DISTINCT FROM (NEW.state, NEW.failure)) EXECUTE FUNCTION log_video_change();
--> statement-breakpoint
CREATE CONSTRAINT TRIGGER log_video_deletion AFTER DELETE ON videos
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  WHEN (OLD.state NOT IN ('presigned', 'superseded')) EXECUTE FUNCTION log_video_change();
--> statement-breakpoint
-- Progress is told to who listens, and not remembered: it is told again when a stream resumes.
CREATE FUNCTION notify_video_progress() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
  PERFORM pg_notify('session_changes', concat_ws(':', cases.user_id, cases.id, sessions.id))
    FROM sessions JOIN cases ON cases.id = sessions.case_id WHERE sessions.id = NEW.session_id;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE FUNCTION notify_chunk_progress() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
  PERFORM pg_notify('session_changes', concat_ws(':', cases.user_id, cases.id, sessions.id))
    FROM videos JOIN sessions ON sessions.id = videos.session_id JOIN cases ON cases.id = sessions.case_id
    WHERE videos.id = NEW.video_id;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER notify_progress AFTER UPDATE ON videos FOR EACH ROW
  WHEN ((OLD.received, OLD.progress) IS DISTINCT FROM (NEW.received, NEW.progress)) EXECUTE FUNCTION notify_video_progress();
--> statement-breakpoint
CREATE TRIGGER notify_progress AFTER UPDATE ON chunks FOR EACH ROW
  WHEN ((OLD.state, OLD.progress) IS DISTINCT FROM (NEW.state, NEW.progress)) EXECUTE FUNCTION notify_chunk_progress();
