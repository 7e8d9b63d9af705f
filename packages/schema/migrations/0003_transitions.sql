-- The moves that states may make. Code names the state it expects; this makes sure of it.
CREATE FUNCTION check_video_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.state IS DISTINCT FROM NEW.state AND NOT (OLD.state, NEW.state) IN (
    ('presigned', 'stored'), ('presigned', 'superseded'), ('presigned', 'failed'),
    ('receiving', 'stored'), ('receiving', 'superseded'), ('receiving', 'failed'),
    ('stored', 'encoding'), ('stored', 'superseded'), ('stored', 'failed'),
    ('encoding', 'encoded'), ('encoding', 'superseded'), ('encoding', 'failed'),
    ('failed', 'stored')
  ) THEN
    RAISE EXCEPTION 'a video cannot go from % to %', OLD.state, NEW.state USING ERRCODE = 'check_violation';
  END IF;
  IF OLD.path <> NEW.path OR OLD.session_id <> NEW.session_id OR NEW.attempt < OLD.attempt
    OR (OLD.etag IS NOT NULL AND (OLD.etag, OLD.size, OLD.container) IS DISTINCT FROM (NEW.etag, NEW.size, NEW.container))
  THEN
    RAISE EXCEPTION 'what is known of a video does not change' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
--> statement-breakpoint
CREATE TRIGGER check_video_transition BEFORE UPDATE ON videos
  FOR EACH ROW EXECUTE FUNCTION check_video_transition();
--> statement-breakpoint
-- A version is written once: pending becomes stored, and nothing else about it ever changes.
CREATE FUNCTION check_version_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.state <> 'pending' OR NEW.state <> 'stored'
    OR (OLD.session_id, OLD.version, OLD.path, OLD.size) IS DISTINCT FROM (NEW.session_id, NEW.version, NEW.path, NEW.size)
  THEN
    RAISE EXCEPTION 'a version does not change' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
--> statement-breakpoint
CREATE TRIGGER check_script_version_transition BEFORE UPDATE ON script_versions
  FOR EACH ROW EXECUTE FUNCTION check_version_transition();
--> statement-breakpoint
CREATE TRIGGER check_report_version_transition BEFORE UPDATE ON report_versions
  FOR EACH ROW EXECUTE FUNCTION check_version_transition();
--> statement-breakpoint
-- Encoding: 1 ready, 2 started, 3 done, 4 error, 5 none. It begins again at 1 with a newer video, or after an error;
-- for one video it only goes forward. The newest video never gives way to an older one.
CREATE FUNCTION check_session_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.case_id <> NEW.case_id THEN
    RAISE EXCEPTION 'a session stays in its case' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.video_id < OLD.video_id OR (OLD.video_id IS NOT NULL AND NEW.video_id IS NULL) THEN
    RAISE EXCEPTION 'a newer video counts already' USING ERRCODE = 'check_violation';
  END IF;
  IF OLD.encoding_state_id <> NEW.encoding_state_id AND NOT (
    (OLD.encoding_state_id, NEW.encoding_state_id) IN ((1, 2), (1, 4), (2, 3), (2, 4), (4, 1))
    OR (NEW.encoding_state_id = 1 AND NEW.video_id IS DISTINCT FROM OLD.video_id)
  ) THEN
    RAISE EXCEPTION 'encoding cannot go from % to %', OLD.encoding_state_id, NEW.encoding_state_id
      USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.last_script_version < OLD.last_script_version OR NEW.last_report_version < OLD.last_report_version THEN
    RAISE EXCEPTION 'a version number is not used twice' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
--> statement-breakpoint
CREATE TRIGGER check_session_transition BEFORE UPDATE ON sessions
  FOR EACH ROW EXECUTE FUNCTION check_session_transition();
