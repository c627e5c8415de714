//! Attribute names: our own, those of the current OpenTelemetry GenAI convention, and the older
//! spellings that are still read.
//!
//! This is the only place where they are spelled. Names of other dialects live in the file of
//! their dialect in `spanledger-otlp`. Source of the current names: the OpenTelemetry registry
//! of `semantic-conventions-genai` (`gen_ai.*`, `openai.*`) and of `semantic-conventions`
//! (`error.type`, `server.*`, `service.*`, `http.*`).

/// `chat`, `embeddings`, …
pub const OPERATION_NAME: &str = "gen_ai.operation.name";
/// `openai`, `azure.ai.openai`, `anthropic`, …
pub const PROVIDER_NAME: &str = "gen_ai.provider.name";
/// The model asked for.
pub const REQUEST_MODEL: &str = "gen_ai.request.model";
/// The model that answered.
pub const RESPONSE_MODEL: &str = "gen_ai.response.model";
/// The provider's id of the response.
pub const RESPONSE_ID: &str = "gen_ai.response.id";
/// One reason per choice.
pub const FINISH_REASONS: &str = "gen_ai.response.finish_reasons";
/// Seconds from the request to the first chunk of a stream.
pub const TIME_TO_FIRST_CHUNK: &str = "gen_ai.response.time_to_first_chunk";
/// Whether the answer was streamed.
pub const REQUEST_STREAM: &str = "gen_ai.request.stream";
/// The largest number of output tokens asked for.
pub const REQUEST_MAX_TOKENS: &str = "gen_ai.request.max_tokens";
/// The temperature asked for.
pub const REQUEST_TEMPERATURE: &str = "gen_ai.request.temperature";
/// The `top_p` asked for.
pub const REQUEST_TOP_P: &str = "gen_ai.request.top_p";
/// The seed asked for.
pub const REQUEST_SEED: &str = "gen_ai.request.seed";
/// The number of choices asked for, when it is not one.
pub const REQUEST_CHOICE_COUNT: &str = "gen_ai.request.choice.count";
/// OpenAI's `previous_response_id`.
pub const REQUEST_PREVIOUS_RESPONSE_ID: &str = "gen_ai.request.previous_response.id";
/// OpenAI's reasoning effort.
pub const REQUEST_REASONING_LEVEL: &str = "gen_ai.request.reasoning.level";
/// The type of output asked for: `text`, `json`, `image`, `speech`.
pub const OUTPUT_TYPE: &str = "gen_ai.output.type";
/// What the convention's token counts, and emitters' own, begin with.
pub const USAGE_NAMESPACE: &str = "gen_ai.usage.";
/// All input tokens.
pub const INPUT_TOKENS: &str = "gen_ai.usage.input_tokens";
/// All output tokens.
pub const OUTPUT_TOKENS: &str = "gen_ai.usage.output_tokens";
/// Input read from a cache, part of the input.
pub const CACHE_READ_TOKENS: &str = "gen_ai.usage.cache_read.input_tokens";
/// Input written to a cache, part of the input.
pub const CACHE_WRITE_TOKENS: &str = "gen_ai.usage.cache_write.input_tokens";
/// Hidden output, part of the output.
pub const REASONING_TOKENS: &str = "gen_ai.usage.reasoning.output_tokens";
/// Audio input, part of the input.
pub const AUDIO_INPUT_TOKENS: &str = "gen_ai.usage.audio.input_tokens";
/// Audio input read from a cache.
pub const AUDIO_CACHE_READ_TOKENS: &str = "gen_ai.usage.audio.cache_read.input_tokens";
/// Audio output, part of the output.
pub const AUDIO_OUTPUT_TOKENS: &str = "gen_ai.usage.audio.output_tokens";
/// Image input, part of the input.
pub const IMAGE_INPUT_TOKENS: &str = "gen_ai.usage.image.input_tokens";
/// Image input read from a cache.
pub const IMAGE_CACHE_READ_TOKENS: &str = "gen_ai.usage.image.cache_read.input_tokens";
/// Image output, part of the output.
pub const IMAGE_OUTPUT_TOKENS: &str = "gen_ai.usage.image.output_tokens";
/// Which tokens a metric counts: `input` or `output`.
pub const TOKEN_TYPE: &str = "gen_ai.token.type";
/// The convention's metric of durations.
pub const METRIC_OPERATION_DURATION: &str = "gen_ai.client.operation.duration";
/// The convention's metric of tokens, a histogram.
pub const METRIC_TOKEN_USAGE: &str = "gen_ai.client.token.usage";
/// The cost in dollars as a double; what Langfuse and OpenLIT read. The exact one is [`COST_USD`].
pub const USAGE_COST: &str = "gen_ai.usage.cost";
/// `chat_completions` or `responses`.
pub const OPENAI_API_TYPE: &str = "openai.api.type";
/// The service tier asked for, when not `auto`.
pub const OPENAI_REQUEST_SERVICE_TIER: &str = "openai.request.service_tier";
/// The service tier that served, the one that is billed.
pub const OPENAI_RESPONSE_SERVICE_TIER: &str = "openai.response.service_tier";
/// OpenAI's fingerprint of the back-end.
pub const OPENAI_SYSTEM_FINGERPRINT: &str = "openai.response.system_fingerprint";
/// The event of a span that says which exception ended it.
pub const EXCEPTION_EVENT: &str = "exception";
/// The type of that exception.
pub const EXCEPTION_TYPE: &str = "exception.type";
/// What went wrong.
pub const ERROR_TYPE: &str = "error.type";
/// The provider's host.
pub const SERVER_ADDRESS: &str = "server.address";
/// The provider's port.
pub const SERVER_PORT: &str = "server.port";
/// The route of an HTTP request. On a SERVER span it is the application's route.
pub const HTTP_ROUTE: &str = "http.route";
/// The prefix of headers of an HTTP response: `http.response.header.x-request-id`.
pub const HTTP_RESPONSE_HEADER_PREFIX: &str = "http.response.header.";
/// Resource: the service.
pub const SERVICE_NAME: &str = "service.name";
/// Resource: the environment.
pub const DEPLOYMENT_ENVIRONMENT_NAME: &str = "deployment.environment.name";
/// The person who made the request, which is not the account that pays.
pub const USER_ID: &str = "user.id";
/// The person, by the older name.
pub const ENDUSER_ID: &str = "enduser.id";

/// The event name of the log record that the crate `spanledger` emits for each call.
pub const RECORD_EVENT_NAME: &str = "spanledger.call";
/// The event name of the log record that the sink `otlp` sends for an event.
pub const COST_EVENT_NAME: &str = "spanledger.cost_event";
/// The metric of cost in dollars, a counter.
pub const METRIC_COST: &str = "spanledger.cost";
/// The metric of tokens, a counter.
pub const METRIC_TOKENS: &str = "spanledger.tokens";
/// The metric of calls, a counter.
pub const METRIC_CALLS: &str = "spanledger.calls";
/// The event name of the log record by which the crate `spanledger` says that it lost records.
pub const GAP_EVENT_NAME: &str = "spanledger.gap";
/// How many calls the lost records are of.
pub const LOST_CALLS: &str = "spanledger.lost.calls";
/// How many of them are not in the cost of the loss.
pub const LOST_CALLS_WITHOUT_COST: &str = "spanledger.lost.calls_without_cost";
/// The header in which the receiver states its version, so that a sender knows what acknowledged its records.
pub const RECEIVER_HEADER: &str = "spanledger-receiver";
/// Attribution: the feature.
pub const FEATURE: &str = "spanledger.feature";
/// Attribution: the route.
pub const ROUTE: &str = "spanledger.route";
/// Attribution: the customer.
pub const CUSTOMER_ID: &str = "spanledger.customer_id";
/// Attribution: the environment.
pub const ENVIRONMENT: &str = "spanledger.environment";
/// Attribution: the caller's id of the logical request.
pub const REQUEST_ID: &str = "spanledger.request_id";
/// Attribution: the batch job.
pub const BATCH_JOB_ID: &str = "spanledger.batch_job_id";
/// Attribution: the prefix of free dimensions.
pub const DIM_PREFIX: &str = "spanledger.dim.";
/// The event's id, on the record and on the span of one call.
pub const EVENT_ID: &str = "spanledger.event_id";
/// The call's id, on the record and on the span of one call.
pub const CALL_ID: &str = "spanledger.call_id";
/// `aggregate` on a record that other records may repeat in parts: a batch. Absent on all others.
pub const ROLE: &str = "spanledger.role";
/// The exact cost in dollars, a decimal string.
pub const COST_USD: &str = "spanledger.cost.usd";
/// `priced` or `unpriced`.
pub const COST_STATE: &str = "spanledger.cost.state";
/// Why there is no price.
pub const COST_REASON: &str = "spanledger.cost.reason";
/// The price book's version.
pub const PRICE_VERSION: &str = "spanledger.price_version";
/// The endpoint: `chat`, `responses`, …
pub const ENDPOINT: &str = "spanledger.endpoint";
/// `success`, `failed` or `incomplete`.
pub const OUTCOME: &str = "spanledger.outcome";
/// HTTP attempts of the call, retries included.
pub const ATTEMPTS: &str = "spanledger.attempts";
/// The usage in our own exclusive buckets and units, as JSON. It adds units to the provider's object
/// ([`USAGE_RAW`]) and is read alone where the object was removed on the way.
pub const USAGE: &str = "spanledger.usage";
/// `estimated` where the usage does not come from the provider.
pub const USAGE_SOURCE: &str = "spanledger.usage.source";
/// The provider's usage object, as JSON.
pub const USAGE_RAW: &str = "spanledger.usage.raw";
/// Billable web searches of the call.
pub const WEB_SEARCH_CALLS: &str = "spanledger.web_search_calls";
/// Billable file searches of the call.
pub const FILE_SEARCH_CALLS: &str = "spanledger.file_search_calls";
/// Billable code-interpreter containers, or calls, of the call.
pub const CODE_INTERPRETER_CALLS: &str = "spanledger.code_interpreter_calls";
/// Images made in the call by a tool.
pub const IMAGES: &str = "spanledger.images";
/// When the call began, nanoseconds since the epoch.
pub const START: &str = "spanledger.start_unix_nano";
/// When the call ended, nanoseconds since the epoch.
pub const END: &str = "spanledger.end_unix_nano";
/// Milliseconds from the start to the first chunk of a stream.
pub const TIME_TO_FIRST_CHUNK_MS: &str = "spanledger.time_to_first_chunk_ms";
/// The span's parent.
pub const PARENT_SPAN_ID: &str = "spanledger.parent_span_id";
/// OpenAI's `prompt_cache_key`.
pub const PROMPT_CACHE_KEY: &str = "spanledger.prompt_cache_key";
/// OpenAI's organization of the call (response header `openai-organization`).
pub const ORGANIZATION: &str = "spanledger.organization";
/// OpenAI's project of the call (response header `openai-project`).
pub const PROJECT: &str = "spanledger.project";
/// The provider's region, where it changes the price.
pub const REGION: &str = "spanledger.region";

/// Spellings of one attribute in order of preference: the current one, then the older ones of the
/// OpenTelemetry convention.
pub mod aliases {
    use super::{
        CACHE_READ_TOKENS, CACHE_WRITE_TOKENS, DEPLOYMENT_ENVIRONMENT_NAME, INPUT_TOKENS,
        OPENAI_REQUEST_SERVICE_TIER, OPENAI_RESPONSE_SERVICE_TIER, OUTPUT_TOKENS, PROVIDER_NAME,
        REASONING_TOKENS,
    };

    /// [`PROVIDER_NAME`] was `gen_ai.system` until 1.37.
    pub const PROVIDER_NAMES: &[&str] = &[PROVIDER_NAME, "gen_ai.system"];
    /// [`INPUT_TOKENS`] was `prompt_tokens` until 1.27.
    pub const INPUT: &[&str] = &[INPUT_TOKENS, "gen_ai.usage.prompt_tokens"];
    /// [`OUTPUT_TOKENS`] was `completion_tokens` until 1.27.
    pub const OUTPUT: &[&str] = &[OUTPUT_TOKENS, "gen_ai.usage.completion_tokens"];
    /// [`CACHE_READ_TOKENS`], and the flat spelling of early emitters.
    pub const CACHE_READ: &[&str] = &[
        CACHE_READ_TOKENS,
        "gen_ai.usage.cache_read_input_tokens",
        "gen_ai.usage.prompt_tokens_details.cached_tokens",
    ];
    /// [`CACHE_WRITE_TOKENS`] was `cache_creation` until the conventions moved out of the core.
    pub const CACHE_WRITE: &[&str] = &[
        CACHE_WRITE_TOKENS,
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.prompt_tokens_details.cache_creation_tokens",
    ];
    /// [`REASONING_TOKENS`], and the flat spelling of OpenLLMetry, OpenLIT and rig.
    pub const REASONING: &[&str] = &[
        REASONING_TOKENS,
        "gen_ai.usage.reasoning_tokens",
        "gen_ai.usage.completion_tokens_details.reasoning_tokens",
    ];
    /// [`OPENAI_RESPONSE_SERVICE_TIER`] had a prefix until 1.37.
    pub const RESPONSE_SERVICE_TIER: &[&str] = &[
        OPENAI_RESPONSE_SERVICE_TIER,
        "gen_ai.openai.response.service_tier",
        "gen_ai.response.service_tier",
    ];
    /// [`OPENAI_REQUEST_SERVICE_TIER`] had a prefix until 1.37.
    pub const REQUEST_SERVICE_TIER: &[&str] =
        &[OPENAI_REQUEST_SERVICE_TIER, "gen_ai.openai.request.service_tier"];
    /// [`DEPLOYMENT_ENVIRONMENT_NAME`] was `deployment.environment` until 1.27.
    pub const ENVIRONMENTS: &[&str] = &[DEPLOYMENT_ENVIRONMENT_NAME, "deployment.environment"];
}
