CREATE INDEX "audio_renditions_etag_index" ON "audio_renditions" USING btree ("etag");--> statement-breakpoint
CREATE INDEX "renditions_etag_index" ON "renditions" USING btree ("etag");--> statement-breakpoint
CREATE INDEX "videos_etag_index" ON "videos" USING btree ("etag");