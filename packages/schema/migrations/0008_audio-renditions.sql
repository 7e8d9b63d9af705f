CREATE TABLE "audio_renditions" (
	"video_id" integer PRIMARY KEY NOT NULL,
	"path" text NOT NULL,
	"size" bigint NOT NULL,
	"etag" text NOT NULL,
	CONSTRAINT "audio_renditions_path_unique" UNIQUE("path")
);
--> statement-breakpoint
ALTER TABLE "audio_renditions" ADD CONSTRAINT "audio_renditions_video_id_videos_id_fk" FOREIGN KEY ("video_id") REFERENCES "public"."videos"("id") ON DELETE cascade ON UPDATE no action;