ALTER TYPE "public"."container" ADD VALUE 'mpegps';--> statement-breakpoint
ALTER TYPE "public"."container" ADD VALUE 'avi';