ALTER TABLE "erasures" ADD COLUMN "video_id" integer;--> statement-breakpoint
ALTER TABLE "sessions" ADD COLUMN "video_length_set_for" integer;--> statement-breakpoint
ALTER TABLE "sessions" ADD COLUMN "previous_video_length" text;--> statement-breakpoint
ALTER TABLE "videos" ADD COLUMN "received" bigint;--> statement-breakpoint
CREATE INDEX "videos_failed_upload_index" ON "videos" USING btree ("id") WHERE "videos"."state" = 'failed' and "videos"."stored_at" is null;--> statement-breakpoint
-- As in 0003, and a recording can be deleted: then no video is current, nothing is played, and encoding is 5 again.
CREATE OR REPLACE FUNCTION check_session_transition() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  is_deleted CONSTANT boolean := NEW.video_id IS NULL AND NEW.rendition_id IS NULL AND NEW.encoding_state_id = 5;
BEGIN
  IF OLD.case_id <> NEW.case_id THEN
    RAISE EXCEPTION 'a session stays in its case' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.video_id < OLD.video_id OR (OLD.video_id IS NOT NULL AND NEW.video_id IS NULL AND NOT is_deleted) THEN
    RAISE EXCEPTION 'a newer video counts already' USING ERRCODE = 'check_violation';
  END IF;
  IF OLD.encoding_state_id <> NEW.encoding_state_id AND NOT (
    (OLD.encoding_state_id, NEW.encoding_state_id) IN ((1, 2), (1, 4), (2, 3), (2, 4), (4, 1))
    OR (NEW.encoding_state_id = 1 AND NEW.video_id IS DISTINCT FROM OLD.video_id)
    OR is_deleted
  ) THEN
    RAISE EXCEPTION 'encoding cannot go from % to %', OLD.encoding_state_id, NEW.encoding_state_id
      USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.last_script_version < OLD.last_script_version OR NEW.last_report_version < OLD.last_report_version THEN
    RAISE EXCEPTION 'a version number is not used twice' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
