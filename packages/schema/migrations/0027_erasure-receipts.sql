-- Requests that come meanwhile have to wait, so an upgrade that meets a long transaction gives way and begins again.
SET LOCAL lock_timeout = '500ms';
--> statement-breakpoint
CREATE TABLE "erased_keys" (
	"erasure_id" integer NOT NULL,
	"sweep" smallint NOT NULL,
	"hash" text NOT NULL,
	"versions" integer NOT NULL,
	"bytes" bigint NOT NULL,
	"uploads" integer NOT NULL,
	CONSTRAINT "erased_keys_erasure_id_sweep_hash_pk" PRIMARY KEY("erasure_id","sweep","hash")
);
--> statement-breakpoint
CREATE TABLE "receipt_keys" (
	"kid" text PRIMARY KEY NOT NULL,
	"x" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "erasures" ADD COLUMN "public_id" uuid DEFAULT gen_random_uuid() NOT NULL;--> statement-breakpoint
ALTER TABLE "erasures" ADD COLUMN "user_id" integer;--> statement-breakpoint
ALTER TABLE "erasures" ADD COLUMN "asked_by" text DEFAULT 'therapist' NOT NULL;--> statement-breakpoint
ALTER TABLE "erasures" ADD COLUMN "request_id" text;--> statement-breakpoint
ALTER TABLE "erasures" ADD COLUMN "first_swept_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "erasures" ADD COLUMN "last_swept_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "erasures" ADD COLUMN "locked_until" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "erasures" ADD COLUMN "receipt" text;--> statement-breakpoint
ALTER TABLE "erased_keys" ADD CONSTRAINT "erased_keys_erasure_id_erasures_id_fk" FOREIGN KEY ("erasure_id") REFERENCES "public"."erasures"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "erasures_user_id_id_index" ON "erasures" USING btree ("user_id","id");--> statement-breakpoint
ALTER TABLE "erasures" ADD CONSTRAINT "erasures_public_id_unique" UNIQUE("public_id");