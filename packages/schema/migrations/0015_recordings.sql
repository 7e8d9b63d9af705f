ALTER TABLE "erasures" ADD COLUMN "video_id" integer;--> statement-breakpoint
ALTER TABLE "sessions" ADD COLUMN "video_length_set_for" integer;--> statement-breakpoint
ALTER TABLE "sessions" ADD COLUMN "previous_video_length" text;--> statement-breakpoint
ALTER TABLE "videos" ADD COLUMN "received" bigint;--> statement-breakpoint
CREATE INDEX "videos_failed_upload_index" ON "videos" USING btree ("id") WHERE "videos"."state" = 'failed' and "videos"."stored_at" is null;