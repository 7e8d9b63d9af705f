-- Requests that come meanwhile have to wait, so an upgrade that meets a long transaction gives way and begins again.
SET LOCAL lock_timeout = '500ms';
--> statement-breakpoint
CREATE TABLE "processes" (
	"id" uuid PRIMARY KEY NOT NULL,
	"kind" text NOT NULL,
	"version" text NOT NULL,
	"commit" text NOT NULL,
	"started_at" timestamp with time zone DEFAULT now() NOT NULL,
	"seen_at" timestamp with time zone DEFAULT now() NOT NULL,
	"scratch_free_bytes" bigint,
	"scratch_bytes" bigint
);
--> statement-breakpoint
CREATE TABLE "recent_encodes" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "recent_encodes_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"at" timestamp with time zone DEFAULT now() NOT NULL,
	"seconds" double precision NOT NULL
);
--> statement-breakpoint
CREATE INDEX "recent_encodes_at_index" ON "recent_encodes" USING btree ("at");--> statement-breakpoint
CREATE INDEX "outbox_dead_letters_index" ON "outbox" USING btree (("name" <> 'send-webhook'),(not "is_refused"),"id") WHERE "outbox"."failed_at" is not null;