-- The tables that this migration and later ones lock, in the order in which the services lock them: otherwise a transaction
-- that holds one and waits for another could end in a deadlock with an upgrade. Triggers write to session_changes at COMMIT, so it comes
-- after all others. Requests that come meanwhile have to wait, so an upgrade that meets a long transaction gives way and begins again.
SET LOCAL lock_timeout = '500ms';
--> statement-breakpoint
LOCK TABLE cases, sessions, videos, chunks, outbox, session_changes IN SHARE ROW EXCLUSIVE MODE;
--> statement-breakpoint
ALTER TABLE "installation" ADD COLUMN "changes_forgotten" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "installation" ADD COLUMN "streams_seen_at" timestamp with time zone DEFAULT '-infinity' NOT NULL;--> statement-breakpoint
CREATE INDEX "session_changes_session_id_index" ON "session_changes" USING btree ("session_id");--> statement-breakpoint
-- A change takes the place of the last one of its session: who comes back needs the state as it now is, once. Other writers wait for
-- the lock, and the job that forgets old rows passes over those that are being replaced.
CREATE OR REPLACE FUNCTION log_session_change(therapist integer, its_case integer, its_session integer) RETURNS void LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(20261126);
  DELETE FROM session_changes WHERE session_id = its_session AND case_id = its_case AND user_id = therapist;
  INSERT INTO session_changes (user_id, case_id, session_id) VALUES (therapist, its_case, its_session);
  PERFORM pg_notify('session_changes', '');
END $$;
--> statement-breakpoint
-- Whether a process has event streams. It says so again every half minute.
CREATE FUNCTION has_streams() RETURNS boolean LANGUAGE plpgsql STABLE SET search_path = public AS $$
BEGIN
  RETURN EXISTS (SELECT FROM installation WHERE streams_seen_at > now() - interval '2 minutes');
END $$;
--> statement-breakpoint
-- Without streams, progress is not notified: transactions that notify commit one after the other.
CREATE OR REPLACE FUNCTION notify_video_progress() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
  IF has_streams() THEN
    PERFORM pg_notify('session_changes', concat_ws(':', cases.user_id, cases.id, sessions.id))
      FROM sessions JOIN cases ON cases.id = sessions.case_id WHERE sessions.id = NEW.session_id;
  END IF;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE OR REPLACE FUNCTION notify_chunk_progress() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
  IF has_streams() THEN
    PERFORM pg_notify('session_changes', concat_ws(':', cases.user_id, cases.id, sessions.id))
      FROM videos JOIN sessions ON sessions.id = videos.session_id JOIN cases ON cases.id = sessions.case_id
      WHERE videos.id = NEW.video_id;
  END IF;
  RETURN NULL;
END $$;
