SET LOCAL lock_timeout = '500ms';
--> statement-breakpoint
ALTER TABLE "installation" ADD COLUMN "folded_by" text;
