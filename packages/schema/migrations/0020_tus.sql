-- The tables that this migration and later ones lock, in the order in which the services lock them: otherwise a transaction
-- that holds one and waits for another could end in a deadlock with an upgrade. Requests that come meanwhile have to wait, so an upgrade
-- that meets a long transaction gives way and begins again.
SET LOCAL lock_timeout = '500ms';
--> statement-breakpoint
LOCK TABLE cases, sessions, videos, chunks IN SHARE ROW EXCLUSIVE MODE;
--> statement-breakpoint
CREATE TABLE "tus_parts" (
	"upload_id" uuid NOT NULL,
	"number" integer NOT NULL,
	"size" integer NOT NULL,
	"etag" text NOT NULL,
	CONSTRAINT "tus_parts_upload_id_number_pk" PRIMARY KEY("upload_id","number")
);
--> statement-breakpoint
CREATE TABLE "tus_uploads" (
	"id" uuid PRIMARY KEY NOT NULL,
	"video_id" integer NOT NULL,
	"length" bigint,
	"metadata" text,
	"store_id" text,
	"parts_bytes" bigint DEFAULT 0 NOT NULL,
	"next_part" integer DEFAULT 1 NOT NULL,
	"tail" text,
	"tail_bytes" integer DEFAULT 0 NOT NULL,
	"start" text DEFAULT '' NOT NULL,
	"container" "container",
	"holder" uuid,
	"held_until" timestamp with time zone,
	"is_wanted" boolean DEFAULT false NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	CONSTRAINT "tus_uploads_video_id_unique" UNIQUE("video_id"),
	CONSTRAINT "tus_uploads_has_no_more_than_its_length" CHECK ("tus_uploads"."parts_bytes" + "tus_uploads"."tail_bytes" <= "tus_uploads"."length"),
	CONSTRAINT "tus_uploads_tail_has_bytes" CHECK (("tus_uploads"."tail" is null) = ("tus_uploads"."tail_bytes" = 0)),
	CONSTRAINT "tus_uploads_held_has_end" CHECK (("tus_uploads"."holder" is null) = ("tus_uploads"."held_until" is null))
);
--> statement-breakpoint
ALTER TABLE "tus_parts" ADD CONSTRAINT "tus_parts_upload_id_tus_uploads_id_fk" FOREIGN KEY ("upload_id") REFERENCES "public"."tus_uploads"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "tus_uploads" ADD CONSTRAINT "tus_uploads_video_id_videos_id_fk" FOREIGN KEY ("video_id") REFERENCES "public"."videos"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "tus_uploads_expires_at_index" ON "tus_uploads" USING btree ("expires_at");