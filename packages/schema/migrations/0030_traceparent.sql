-- Requests that come meanwhile have to wait, so an upgrade that meets a long transaction fails after a while, and is to be repeated.
SET LOCAL lock_timeout = '500ms';
--> statement-breakpoint
ALTER TABLE "outbox" ADD COLUMN "traceparent" text;--> statement-breakpoint
ALTER TABLE "outbox" ADD CONSTRAINT "outbox_traceparent_shape" CHECK ("outbox"."traceparent" ~ '^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$');
