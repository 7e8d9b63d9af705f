-- Requests that come meanwhile have to wait, so an upgrade that meets a long transaction fails after a while, and is to be repeated.
SET LOCAL lock_timeout = '10s';
--> statement-breakpoint
ALTER TABLE "tus_uploads" ADD COLUMN "request_bytes" bigint;
