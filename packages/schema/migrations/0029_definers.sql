SET LOCAL lock_timeout = '500ms';
--> statement-breakpoint
-- What triggers read and write beyond the row that was changed, they do as the owner of the tables: the role of a service has no right
-- to write session_changes, nor to read whatever a notice takes. Nobody but a trigger can call these functions, and what they call has
-- no rights of its own. The schema of temporary tables comes last, so that none can take the place of a table.
ALTER FUNCTION log_case_change() SECURITY DEFINER SET search_path = public, pg_temp;
--> statement-breakpoint
ALTER FUNCTION log_own_change() SECURITY DEFINER SET search_path = public, pg_temp;
--> statement-breakpoint
ALTER FUNCTION log_video_change() SECURITY DEFINER SET search_path = public, pg_temp;
--> statement-breakpoint
ALTER FUNCTION notify_video_progress() SECURITY DEFINER SET search_path = public, pg_temp;
--> statement-breakpoint
ALTER FUNCTION notify_chunk_progress() SECURITY DEFINER SET search_path = public, pg_temp;
