CREATE TABLE "script_pages" (
	"script_version_id" integer NOT NULL,
	"first_record" integer NOT NULL,
	"folded" text NOT NULL,
	"records" jsonb NOT NULL,
	CONSTRAINT "script_pages_script_version_id_first_record_pk" PRIMARY KEY("script_version_id","first_record")
);
--> statement-breakpoint
ALTER TABLE "report_versions" ADD COLUMN "script_version_id" integer;--> statement-breakpoint
ALTER TABLE "report_versions" ADD COLUMN "levels" jsonb;--> statement-breakpoint
ALTER TABLE "script_pages" ADD CONSTRAINT "script_pages_script_version_id_script_versions_id_fk" FOREIGN KEY ("script_version_id") REFERENCES "public"."script_versions"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "report_versions" ADD CONSTRAINT "report_versions_script_version_id_session_id_script_versions_id_session_id_fk" FOREIGN KEY ("script_version_id","session_id") REFERENCES "public"."script_versions"("id","session_id") ON DELETE no action ON UPDATE no action;