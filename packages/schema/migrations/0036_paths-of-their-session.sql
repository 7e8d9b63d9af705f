SET LOCAL lock_timeout = '500ms';
--> statement-breakpoint
-- A row of a process names an object of its own session only. Without this, who has the role of a service and any therapist's token could
-- add a row to a session of that therapist that names another one's recording, script or report, and read that. The owner of the tables is
-- let through: it imports, and what it restores may be older than these paths.
CREATE FUNCTION path_of_session() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM sessions WHERE id = NEW.session_id AND NEW.path ~ format('^[A-Z]+/%s/%s/[^/]+$', case_id, id))
    OR EXISTS (SELECT FROM pg_class WHERE oid = TG_RELID AND pg_has_role(current_user, relowner, 'member'))
  THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'the path is not below that of the session' USING ERRCODE = 'insufficient_privilege';
END
$$;
--> statement-breakpoint
CREATE TRIGGER videos_path_of_session BEFORE INSERT ON videos FOR EACH ROW EXECUTE FUNCTION path_of_session();
--> statement-breakpoint
CREATE TRIGGER script_versions_path_of_session BEFORE INSERT ON script_versions FOR EACH ROW EXECUTE FUNCTION path_of_session();
--> statement-breakpoint
CREATE TRIGGER report_versions_path_of_session BEFORE INSERT ON report_versions FOR EACH ROW EXECUTE FUNCTION path_of_session();
