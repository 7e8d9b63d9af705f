ALTER TABLE "audio_renditions" ADD COLUMN "is_fresh" boolean DEFAULT false NOT NULL;--> statement-breakpoint
CREATE INDEX "audio_renditions_fresh_index" ON "audio_renditions" USING btree ("video_id") WHERE "audio_renditions"."is_fresh";--> statement-breakpoint
CREATE INDEX "outbox_encode_video_index" ON "outbox" USING btree (("payload" ->> 'video_id')) WHERE "outbox"."name" = 'encode-video';--> statement-breakpoint
CREATE INDEX "outbox_analyse_script_index" ON "outbox" USING btree (("payload" ->> 'script_version_id')) WHERE "outbox"."name" = 'analyse-script';--> statement-breakpoint
CREATE INDEX "report_versions_pending_index" ON "report_versions" USING btree ("id") WHERE "report_versions"."state" = 'pending';--> statement-breakpoint
CREATE INDEX "script_versions_pending_index" ON "script_versions" USING btree ("id") WHERE "script_versions"."state" = 'pending';--> statement-breakpoint
CREATE INDEX "sessions_without_report_index" ON "sessions" USING btree ("id") WHERE "sessions"."script_version_id" is not null and "sessions"."analyze_state_id" <> 3;--> statement-breakpoint
CREATE INDEX "videos_unfinished_index" ON "videos" USING btree ("id") WHERE "videos"."state" in ('receiving', 'stored', 'encoding');