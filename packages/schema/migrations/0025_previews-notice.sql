-- Requests that come meanwhile have to wait, so an upgrade that meets a long transaction gives way and begins again.
SET LOCAL lock_timeout = '500ms';
--> statement-breakpoint
-- Poster and storyboard come some seconds after the end of an encode. Players that are open then hear of them.
CREATE TRIGGER notify_progress AFTER INSERT ON previews FOR EACH ROW EXECUTE FUNCTION notify_chunk_progress();
