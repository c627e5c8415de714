CREATE TABLE IF NOT EXISTS "openai_event_revisions" (
    "event" text,
    "event_id" text NOT NULL,
    "request_id" text,
    "revision" bigint NOT NULL,
    "state" text NOT NULL,
    "superseded_by" text,
    "timestamp" timestamp with time zone NOT NULL,
    "feature" text,
    "route" text,
    "customer_id" text,
    "environment" text,
    "provider" text,
    "endpoint" text,
    "model" text,
    "response_model" text,
    "service_tier" text,
    "region" text,
    "organization" text,
    "project" text,
    "prompt_tokens" bigint,
    "cached_tokens" bigint,
    "cache_write_tokens" bigint,
    "completion_tokens" bigint,
    "reasoning_tokens" bigint,
    "audio_prompt_tokens" bigint,
    "audio_completion_tokens" bigint,
    "image_prompt_tokens" bigint,
    "image_completion_tokens" bigint,
    "images" bigint,
    "audio_seconds" numeric,
    "web_search_calls" bigint,
    "file_search_calls" bigint,
    "code_interpreter_calls" bigint,
    "usage_source" text,
    "latency_ms" bigint,
    "time_to_first_token_ms" bigint,
    "stream" boolean,
    "cost_usd" numeric(24,12),
    "cost_state" text,
    "cost_reason" text,
    "cost_detail" text,
    "cost_lines" jsonb,
    "price_version" text,
    "priced_at" timestamp with time zone,
    "usage_raw" json,
    "emitter_cost_usd" numeric(24,12),
    "retry_cost_usd" numeric(24,12),
    "billed_usd" numeric(24,12),
    "attempts" bigint,
    "error_code" text,
    "prompt_cache_key" text,
    "reasoning_effort" text,
    "batch_job_id" text,
    "response_id" text,
    "trace_id" text,
    "span_id" text,
    "parent_span_id" text,
    "service_name" text,
    "emitter" text,
    "flags" jsonb,
    "dims" jsonb,
    PRIMARY KEY (event_id)
);

CREATE INDEX IF NOT EXISTS "openai_event_revisions_timestamp" ON "openai_event_revisions" USING brin ("timestamp");

COMMENT ON TABLE "openai_event_revisions" IS 'Cost events of AI calls, written by Spanledger. A row is a revision of an event; the greatest revision of an event_id is its present state. Read the view of live events.';

COMMENT ON COLUMN "openai_event_revisions"."event" IS '`<provider>.request`, such as `openai.request`.';

COMMENT ON COLUMN "openai_event_revisions"."event_id" IS 'The identity of the logical request. It is computed from the request, so that a replay has the same id.';

COMMENT ON COLUMN "openai_event_revisions"."request_id" IS 'The caller''s id of the request, or a UUIDv7.';

COMMENT ON COLUMN "openai_event_revisions"."revision" IS 'The row with the greatest revision is the present state. The revision is made from the content and does not count the changes, so that gaps are normal: the number of observations that belong together with the event''s, plus 10,000 for each of their ids that is shared by more than 256 observations, plus 1,000,000 for each time that the ledger was priced again.';

COMMENT ON COLUMN "openai_event_revisions"."state" IS '`live`, `quarantined` (counts, but lacks attribution) or `void` (does not count).';

COMMENT ON COLUMN "openai_event_revisions"."superseded_by" IS 'The event that counts instead of this one, if this one is void.';

COMMENT ON COLUMN "openai_event_revisions"."timestamp" IS 'The start of the call.';

COMMENT ON COLUMN "openai_event_revisions"."feature" IS 'Attribution: the product feature.';

COMMENT ON COLUMN "openai_event_revisions"."route" IS 'Attribution: the route or job.';

COMMENT ON COLUMN "openai_event_revisions"."customer_id" IS 'Attribution: the paying account.';

COMMENT ON COLUMN "openai_event_revisions"."environment" IS 'Attribution: the environment.';

COMMENT ON COLUMN "openai_event_revisions"."provider" IS 'The provider, by its OpenTelemetry name.';

COMMENT ON COLUMN "openai_event_revisions"."endpoint" IS 'The API that was called: `chat`, `responses`, …';

COMMENT ON COLUMN "openai_event_revisions"."model" IS 'The model that was requested.';

COMMENT ON COLUMN "openai_event_revisions"."response_model" IS 'The model that answered.';

COMMENT ON COLUMN "openai_event_revisions"."service_tier" IS 'The service tier that served the call. It is the billed one.';

COMMENT ON COLUMN "openai_event_revisions"."region" IS 'The provider''s region, where it changes the price.';

COMMENT ON COLUMN "openai_event_revisions"."organization" IS 'The provider''s organization.';

COMMENT ON COLUMN "openai_event_revisions"."project" IS 'The provider''s project.';

COMMENT ON COLUMN "openai_event_revisions"."prompt_tokens" IS 'All input tokens, including those read from and written to a cache. Unit: tokens.';

COMMENT ON COLUMN "openai_event_revisions"."cached_tokens" IS 'The part of the input read from a cache. It is null if the emitter did not state it. Unit: tokens.';

COMMENT ON COLUMN "openai_event_revisions"."cache_write_tokens" IS 'The part of the input written to a cache. It is null if the emitter did not state it. Unit: tokens.';

COMMENT ON COLUMN "openai_event_revisions"."completion_tokens" IS 'Visible output. The provider''s own `completion_tokens` is this plus `reasoning_tokens`. If `reasoning_tokens` is null, this is all output, with any hidden one. Unit: tokens.';

COMMENT ON COLUMN "openai_event_revisions"."reasoning_tokens" IS 'Hidden output. It is billed like output, and is not part of `completion_tokens`. It is null if the emitter did not state it. Unit: tokens.';

COMMENT ON COLUMN "openai_event_revisions"."audio_prompt_tokens" IS 'The part of the input that is audio, cached audio included. Unit: tokens.';

COMMENT ON COLUMN "openai_event_revisions"."audio_completion_tokens" IS 'The part of the visible output that is audio. Unit: tokens.';

COMMENT ON COLUMN "openai_event_revisions"."image_prompt_tokens" IS 'The part of the input that is images, cached images included. Unit: tokens.';

COMMENT ON COLUMN "openai_event_revisions"."image_completion_tokens" IS 'The part of the visible output that is images. Unit: tokens.';

COMMENT ON COLUMN "openai_event_revisions"."images" IS 'Images that the call generated. Unit: images.';

COMMENT ON COLUMN "openai_event_revisions"."audio_seconds" IS 'Seconds of audio input or output, where the provider bills time. Unit: s.';

COMMENT ON COLUMN "openai_event_revisions"."web_search_calls" IS 'Billable web searches. Unit: calls.';

COMMENT ON COLUMN "openai_event_revisions"."file_search_calls" IS 'Billable file searches. Unit: calls.';

COMMENT ON COLUMN "openai_event_revisions"."code_interpreter_calls" IS 'Billable uses of a code interpreter. At OpenAI, which bills sessions, they are containers of 1 GB; at other providers they are calls. Unit: calls.';

COMMENT ON COLUMN "openai_event_revisions"."usage_source" IS 'Where the usage comes from: `provider`, `estimated` or `none`.';

COMMENT ON COLUMN "openai_event_revisions"."latency_ms" IS 'The time from the start of the call to its last byte. Unit: ms.';

COMMENT ON COLUMN "openai_event_revisions"."time_to_first_token_ms" IS 'The time from the start of the call to the first chunk of a stream. Unit: ms.';

COMMENT ON COLUMN "openai_event_revisions"."stream" IS 'Whether the answer was streamed.';

COMMENT ON COLUMN "openai_event_revisions"."cost_usd" IS 'The cost of the primary charge. It is null when unpriced; an unknown cost is never 0. Unit: USD.';

COMMENT ON COLUMN "openai_event_revisions"."cost_state" IS '`priced` or `unpriced`.';

COMMENT ON COLUMN "openai_event_revisions"."cost_reason" IS 'The reason why the charge is unpriced, from a closed list: `unknown_model`, `no_usage`, …';

COMMENT ON COLUMN "openai_event_revisions"."cost_detail" IS 'Details of `cost_reason` for people: which model, which tier, which counts contradict each other.';

COMMENT ON COLUMN "openai_event_revisions"."cost_lines" IS 'The lines that add up to `cost_usd`.';

COMMENT ON COLUMN "openai_event_revisions"."price_version" IS 'The version of the price book that was used: its date and content hash.';

COMMENT ON COLUMN "openai_event_revisions"."priced_at" IS 'The prices that were valid at this moment were used.';

COMMENT ON COLUMN "openai_event_revisions"."usage_raw" IS 'The provider''s usage object.';

COMMENT ON COLUMN "openai_event_revisions"."emitter_cost_usd" IS 'The cost that the emitter itself stated. Unit: USD.';

COMMENT ON COLUMN "openai_event_revisions"."retry_cost_usd" IS 'The cost of further billed responses to the same request: the sum of those that have a price. Unit: USD.';

COMMENT ON COLUMN "openai_event_revisions"."billed_usd" IS '`cost_usd` plus `retry_cost_usd`: the amount on the invoice. It is null when a charge has no price. Unit: USD.';

COMMENT ON COLUMN "openai_event_revisions"."attempts" IS 'HTTP attempts of the request, retries included.';

COMMENT ON COLUMN "openai_event_revisions"."error_code" IS 'The error of the last attempt, if no attempt succeeded. `records_lost` is the event of calls whose records a service lost; `dims.lost_calls` says how many. `process_died` is a call whose process ended before the call.';

COMMENT ON COLUMN "openai_event_revisions"."prompt_cache_key" IS 'OpenAI''s `prompt_cache_key`.';

COMMENT ON COLUMN "openai_event_revisions"."reasoning_effort" IS 'The reasoning effort that was requested.';

COMMENT ON COLUMN "openai_event_revisions"."batch_job_id" IS 'Attribution: the batch job. The crate `spanledger` sets it to the provider''s id of a batch, for the batch unless its attribution states another, and for each request that `BatchOutput` records.';

COMMENT ON COLUMN "openai_event_revisions"."response_id" IS 'The provider''s id of the primary response.';

COMMENT ON COLUMN "openai_event_revisions"."trace_id" IS 'The trace of the primary charge.';

COMMENT ON COLUMN "openai_event_revisions"."span_id" IS 'The span of the primary charge.';

COMMENT ON COLUMN "openai_event_revisions"."parent_span_id" IS 'The parent of that span.';

COMMENT ON COLUMN "openai_event_revisions"."service_name" IS 'The service that made the call.';

COMMENT ON COLUMN "openai_event_revisions"."emitter" IS 'The instrumentation that reported the primary charge: its scope and version.';

COMMENT ON COLUMN "openai_event_revisions"."flags" IS 'Unusual facts about the event, from a closed list: `possible_duplicate`, `retry_unpriced`, …';

COMMENT ON COLUMN "openai_event_revisions"."dims" IS 'Attribution: free dimensions.';

CREATE OR REPLACE VIEW "openai_events" AS
SELECT
    "event",
    "event_id",
    "request_id",
    "revision",
    "state",
    "superseded_by",
    "timestamp",
    "feature",
    "route",
    "customer_id",
    "environment",
    "provider",
    "endpoint",
    "model",
    "response_model",
    "service_tier",
    "region",
    "organization",
    "project",
    "prompt_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "completion_tokens",
    "reasoning_tokens",
    "audio_prompt_tokens",
    "audio_completion_tokens",
    "image_prompt_tokens",
    "image_completion_tokens",
    "images",
    "audio_seconds",
    "web_search_calls",
    "file_search_calls",
    "code_interpreter_calls",
    "usage_source",
    "latency_ms",
    "time_to_first_token_ms",
    "stream",
    "cost_usd",
    "cost_state",
    "cost_reason",
    "cost_detail",
    "cost_lines",
    "price_version",
    "priced_at",
    "usage_raw",
    "emitter_cost_usd",
    "retry_cost_usd",
    "billed_usd",
    "attempts",
    "error_code",
    "prompt_cache_key",
    "reasoning_effort",
    "batch_job_id",
    "response_id",
    "trace_id",
    "span_id",
    "parent_span_id",
    "service_name",
    "emitter",
    "flags",
    "dims"
FROM "openai_event_revisions"
WHERE "state" = 'live';

CREATE OR REPLACE VIEW "openai_events_quarantined" AS
SELECT
    "event",
    "event_id",
    "request_id",
    "revision",
    "state",
    "superseded_by",
    "timestamp",
    "feature",
    "route",
    "customer_id",
    "environment",
    "provider",
    "endpoint",
    "model",
    "response_model",
    "service_tier",
    "region",
    "organization",
    "project",
    "prompt_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "completion_tokens",
    "reasoning_tokens",
    "audio_prompt_tokens",
    "audio_completion_tokens",
    "image_prompt_tokens",
    "image_completion_tokens",
    "images",
    "audio_seconds",
    "web_search_calls",
    "file_search_calls",
    "code_interpreter_calls",
    "usage_source",
    "latency_ms",
    "time_to_first_token_ms",
    "stream",
    "cost_usd",
    "cost_state",
    "cost_reason",
    "cost_detail",
    "cost_lines",
    "price_version",
    "priced_at",
    "usage_raw",
    "emitter_cost_usd",
    "retry_cost_usd",
    "billed_usd",
    "attempts",
    "error_code",
    "prompt_cache_key",
    "reasoning_effort",
    "batch_job_id",
    "response_id",
    "trace_id",
    "span_id",
    "parent_span_id",
    "service_name",
    "emitter",
    "flags",
    "dims"
FROM "openai_event_revisions"
WHERE "state" = 'quarantined';
