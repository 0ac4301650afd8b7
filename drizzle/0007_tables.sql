CREATE TABLE "cache_erasures" (
	"tenant" text NOT NULL,
	"conversation_id" uuid NOT NULL,
	"version" bigint NOT NULL,
	"erased_at" timestamp(6) with time zone NOT NULL,
	CONSTRAINT "cache_erasures_tenant_conversation_id_pk" PRIMARY KEY("tenant","conversation_id")
);
--> statement-breakpoint
CREATE TABLE "conversation_external_ids" (
	"tenant" text NOT NULL,
	"external_id" text NOT NULL,
	"conversation_id" uuid NOT NULL,
	CONSTRAINT "conversation_external_ids_tenant_external_id_pk" PRIMARY KEY("tenant","external_id")
);
--> statement-breakpoint
CREATE TABLE "conversation_messages" (
	"conversation_id" uuid NOT NULL,
	"seq" bigint NOT NULL,
	"id" uuid NOT NULL,
	"tenant" text NOT NULL,
	"turn_id" uuid NOT NULL,
	"version" bigint NOT NULL,
	"role" text NOT NULL,
	"parts" text[] NOT NULL,
	"message_type" text NOT NULL,
	"voice_session_id" text,
	"duration_seconds" integer,
	"segment_id" uuid,
	"tts_audio_urls" text[],
	"memory_retrieval_trace" jsonb,
	"metadata" jsonb,
	"created_at" timestamp(6) with time zone NOT NULL,
	"idempotency_key" text,
	"request_hash" "bytea",
	"recorded_version" bigint,
	"state" text DEFAULT 'filled' NOT NULL,
	"opened_version" bigint,
	"seat_until" timestamp(6) with time zone,
	"answer_seq" bigint,
	"heard" jsonb,
	"interrupted_at" timestamp(6) with time zone,
	"speech_ended_at" timestamp(6) with time zone,
	"first_audio_at" timestamp(6) with time zone,
	CONSTRAINT "conversation_messages_conversation_id_seq_pk" PRIMARY KEY("conversation_id","seq"),
	CONSTRAINT "messages_by_id" UNIQUE("conversation_id","id"),
	CONSTRAINT "messages_role" CHECK ("conversation_messages"."role" in ('human', 'ai')),
	CONSTRAINT "messages_type" CHECK ("conversation_messages"."message_type" in ('text', 'audio')),
	CONSTRAINT "messages_parts" CHECK (cardinality("conversation_messages"."parts") >= 1),
	CONSTRAINT "messages_seq" CHECK ("conversation_messages"."seq" >= 1),
	CONSTRAINT "messages_state" CHECK ("conversation_messages"."state" in ('filled', 'pending', 'expired'))
);
--> statement-breakpoint
CREATE TABLE "conversations" (
	"id" uuid PRIMARY KEY NOT NULL,
	"tenant" text NOT NULL,
	"owner" text,
	"version" bigint NOT NULL,
	"self_version" bigint NOT NULL,
	"last_seq" bigint NOT NULL,
	"last_message_at" timestamp(6) with time zone,
	"external_id" text,
	"title" text,
	"metadata" jsonb,
	"request_hash" "bytea",
	"created_at" timestamp(6) with time zone NOT NULL,
	"erased_at" timestamp(6) with time zone,
	"erased_messages" bigint,
	"erased_segments" bigint,
	CONSTRAINT "conversations_counters" CHECK ("conversations"."version" >= 1 and "conversations"."last_seq" >= 0)
);
--> statement-breakpoint
CREATE TABLE "held_audio" (
	"conversation_id" uuid NOT NULL,
	"key" text NOT NULL,
	"part" integer NOT NULL,
	"tenant" text NOT NULL,
	"text_hash" "bytea" NOT NULL,
	"url" text NOT NULL,
	"expires_at" timestamp(6) with time zone NOT NULL,
	CONSTRAINT "held_audio_conversation_id_key_part_pk" PRIMARY KEY("conversation_id","key","part")
);
--> statement-breakpoint
CREATE TABLE "turnlog_migrations" (
	"id" integer PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"oldest_code" integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE "segments" (
	"conversation_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"tenant" text NOT NULL,
	"version" bigint NOT NULL,
	"user_message_id" uuid,
	"agent_response" text,
	"lineage" jsonb,
	"tts_audio_urls" text[],
	"created_at" timestamp(6) with time zone NOT NULL,
	"updated_at" timestamp(6) with time zone NOT NULL,
	CONSTRAINT "segments_conversation_id_id_pk" PRIMARY KEY("conversation_id","id")
);
--> statement-breakpoint
CREATE TABLE "voice_sessions" (
	"conversation_id" uuid NOT NULL,
	"id" text NOT NULL,
	"tenant" text NOT NULL,
	"version" bigint NOT NULL,
	"metadata" jsonb,
	"started_at" timestamp(6) with time zone NOT NULL,
	"ended_at" timestamp(6) with time zone,
	"lease_until" timestamp(6) with time zone,
	CONSTRAINT "voice_sessions_conversation_id_id_pk" PRIMARY KEY("conversation_id","id")
);
--> statement-breakpoint
ALTER TABLE "conversation_messages" ADD CONSTRAINT "messages_segment" FOREIGN KEY ("conversation_id","segment_id") REFERENCES "public"."segments"("conversation_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "held_audio" ADD CONSTRAINT "held_audio_conversation_id_conversations_id_fk" FOREIGN KEY ("conversation_id") REFERENCES "public"."conversations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "segments" ADD CONSTRAINT "segments_conversation_id_conversations_id_fk" FOREIGN KEY ("conversation_id") REFERENCES "public"."conversations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "segments" ADD CONSTRAINT "segments_user_message" FOREIGN KEY ("conversation_id","user_message_id") REFERENCES "public"."conversation_messages"("conversation_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "voice_sessions" ADD CONSTRAINT "voice_sessions_conversation_id_conversations_id_fk" FOREIGN KEY ("conversation_id") REFERENCES "public"."conversations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "messages_by_key" ON "conversation_messages" USING btree ("conversation_id","idempotency_key") WHERE "conversation_messages"."idempotency_key" is not null;--> statement-breakpoint
CREATE INDEX "messages_by_version" ON "conversation_messages" USING btree ("conversation_id","version");--> statement-breakpoint
CREATE INDEX "messages_by_segment" ON "conversation_messages" USING btree ("conversation_id","segment_id") WHERE "conversation_messages"."segment_id" is not null;--> statement-breakpoint
CREATE INDEX "messages_by_voice_session" ON "conversation_messages" USING btree ("conversation_id","voice_session_id") WHERE "conversation_messages"."voice_session_id" is not null;--> statement-breakpoint
CREATE INDEX "messages_pending" ON "conversation_messages" USING btree ("seat_until","conversation_id") WHERE "conversation_messages"."state" = 'pending';--> statement-breakpoint
CREATE INDEX "messages_pending_by_conversation" ON "conversation_messages" USING btree ("conversation_id","seq") WHERE "conversation_messages"."state" = 'pending';--> statement-breakpoint
CREATE INDEX "conversations_by_activity" ON "conversations" USING btree ("tenant",coalesce("last_message_at", "created_at") desc,"id" DESC NULLS FIRST) WHERE "conversations"."erased_at" is null;--> statement-breakpoint
CREATE INDEX "held_audio_by_expiry" ON "held_audio" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "segments_by_version" ON "segments" USING btree ("conversation_id","version");--> statement-breakpoint
CREATE INDEX "segments_by_creation" ON "segments" USING btree ("conversation_id","created_at","id");--> statement-breakpoint
CREATE INDEX "segments_by_user_message" ON "segments" USING btree ("conversation_id","user_message_id") WHERE "segments"."user_message_id" is not null;--> statement-breakpoint
CREATE INDEX "voice_sessions_by_version" ON "voice_sessions" USING btree ("conversation_id","version");--> statement-breakpoint
CREATE INDEX "voice_sessions_by_start" ON "voice_sessions" USING btree ("conversation_id","started_at","id");--> statement-breakpoint
CREATE INDEX "voice_sessions_by_lease" ON "voice_sessions" USING btree ("lease_until") WHERE "voice_sessions"."ended_at" is null and "voice_sessions"."lease_until" is not null;
--> statement-breakpoint
INSERT INTO turnlog_migrations (id, name, oldest_code) VALUES (7, 'tables', 2);
