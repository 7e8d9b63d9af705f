-- Requests that come meanwhile have to wait, so an upgrade that meets a long transaction gives way and begins again.
SET LOCAL lock_timeout = '500ms';
--> statement-breakpoint
ALTER TABLE "tus_uploads" ADD COLUMN "request_bytes" bigint;
