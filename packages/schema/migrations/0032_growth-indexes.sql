-- Requests that come meanwhile have to wait, so an upgrade that meets a long transaction gives way and begins again.
SET LOCAL lock_timeout = '500ms';
--> statement-breakpoint
CREATE INDEX "erasures_pending_index" ON "erasures" USING btree ("case_id") WHERE "erasures"."receipt" is null;--> statement-breakpoint
CREATE INDEX "outbox_dead_webhooks_case_index" ON "outbox" USING btree ((("payload" ->> 'case_id')::int)) WHERE "outbox"."name" = 'send-webhook' and "outbox"."failed_at" is not null;--> statement-breakpoint
CREATE INDEX "session_changes_case_id_session_id_index" ON "session_changes" USING btree ("case_id","session_id");--> statement-breakpoint
DROP INDEX "session_changes_session_id_index";
