//! The event and the table of its columns.
//!
//! # Adding a column
//!
//! 1. Add a row to `columns!` below, with `, since N` at its end. N is the next schema version of the
//!    ledger, or the present version if it is not released yet (`spanledger-ledger/src/migrate.rs`).
//! 2. Fill the column. If its value is copied from an observation without change, add an optional field
//!    to [`Observation`], and a row to `carried!` (`observation/carried.rs`) with the attribute's name
//!    from `keys.rs`; the fold and the record then carry it. Otherwise set it in `fold/assemble.rs`.
//! 3. Set the observation's field where the value is read: in a dialect
//!    (`spanledger-otlp/src/dialect`), and in the crate `spanledger`.
//! 4. `cargo xtask gen` writes the reference page, `docs/events.md`.
//!
//! The ledger's table and its migration, the JSON form and the columns of the sinks follow from
//! the row.
//!
//! [`Observation`]: crate::Observation

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use crate::{CostLine, EventId, Timestamp, Usd, words::words};

mod cell;
mod json;
mod shared;
#[cfg(test)]
mod tests;
mod text;

pub(crate) use cell::Value;
pub use cell::{Cell, CellError, JsonText};
pub use json::EventJson;
pub use shared::SharedEvent;

words! {
    /// Whether an event counts.
    #[derive(Default)]
    pub enum EventState {
        /** The event counts.*/
        Live (default) = "live",
        /** The event counts, but lacks a required field of its attribution until a rule supplies it.*/
        Quarantined = "quarantined",
        /** The event does not count: its observations belong to another event, or are an aggregate over calls that count elsewhere.*/
        Void = "void",
    }
}

words! {
    /// Where a usage comes from.
    #[derive(Default)]
    pub enum UsageSource {
        /** The provider reported it.*/
        Provider = "provider",
        /** Spanledger counted it: with a tokenizer, or from the request and the response (characters to speak, images made).*/
        Estimated = "estimated",
        /** The usage is unknown.*/
        None (default) = "none",
    }
}

words! {
    /// Something unusual about an event that its reader should know.
    #[non_exhaustive]
    pub enum Flag {
        /** Another event has the same response id, and it is not certain that the two are the same response.*/
        PossibleDuplicate = "possible_duplicate",
        /** The emitter's own cost differs from `cost_usd`.*/
        EmitterCostDiffers = "emitter_cost_differs",
        /** A charge other than the primary one has no price, so that the billed amount is unknown.*/
        RetryUnpriced = "retry_unpriced",
        /** The usage has fields of unknown meaning; `cost_detail` lists them. The totals add up, so that no token is missing from the cost.*/
        UsageNotUnderstood = "usage_not_understood",
        /** More than 256 observations state the request's id, so that it identifies no request: each of their calls is an event of its own.*/
        RequestIdReused = "request_id_reused",
        /** More than 256 observations state the response's id, so that it identifies no response: it is not used to recognize a response that was seen twice.*/
        ResponseIdReused = "response_id_reused",
        /** The trace has more than 256 observations, so that its aggregates are not compared with the calls under them. They do not count; the calls do.*/
        LongTrace = "long_trace",
        /** The emitter did not state cached tokens, and the model's cached input is cheaper than its input: the cost may be lower.*/
        CostUpperBound = "cost_upper_bound",
        /** The emitter did not state the tokens written to a cache, and the model's cache writes are dearer than its input: the cost may be higher. If it did not state cached tokens either, the cost may also be lower.*/
        CostUncertain = "cost_uncertain",
        /** Something that an emitter sent was longer or more than a limit allows: a text was shortened, or a value left out. The table of limits below says how.*/
        Truncated = "truncated",
    }
}

/// The type of a column's values; each sink maps it to a type of its database or format. Sinks match
/// on every kind, so that a new kind does not compile until each sink has a type for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ColumnKind {
    /// UTF-8 text.
    Text,
    /// A 64-bit integer.
    Integer,
    /// True or false.
    Boolean,
    /// Dollars, `DECIMAL(24,12)`.
    Usd,
    /// A decimal number.
    Decimal,
    /// A moment, to the nanosecond.
    Timestamp,
    /// JSON.
    Json,
}

/// One row of the column table.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// The column's name, in every sink and in JSON.
    pub name: &'static str,
    /// What it holds.
    pub kind: ColumnKind,
    /// Whether it can be absent.
    pub nullable: bool,
    /// The unit of its numbers; empty for other columns.
    pub unit: &'static str,
    /// The FOCUS 1.2 column that holds the same value; empty where FOCUS has no such column.
    pub focus: &'static str,
    /// The version of the event's schema that introduced it.
    pub since: u32,
    /// What it means.
    pub doc: &'static str,
    /// Reads the column of an event.
    pub get: fn(&CostEvent) -> Cell<'_>,
    /// Writes the column of an event.
    pub set: fn(&mut CostEvent, Cell<'_>) -> Result<(), CellError>,
}

impl Column {
    /// The column with this name.
    pub const fn named(name: &str) -> Option<&'static Self> {
        const fn is_same(a: &[u8], b: &[u8]) -> bool {
            match (a, b) {
                ([], []) => true,
                ([a, rest_a @ ..], [b, rest_b @ ..]) => *a == *b && is_same(rest_a, rest_b),
                _ => false,
            }
        }
        let mut index = 0;
        while index < COLUMNS.len() {
            if is_same(COLUMNS[index].name.as_bytes(), name.as_bytes()) {
                return Some(&COLUMNS[index]);
            }
            index += 1;
        }
        None
    }
}

/// The `since` of a row. A row without one exists since the first version.
macro_rules! since {
    () => {
        1
    };
    ($since:literal) => {
        $since
    };
}

macro_rules! columns {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty, $unit:literal, $focus:literal $(, since $since:literal)?;)+) => {
        /// One logical request. Every sink stores this, and every report reads it.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct CostEvent {
            $($(#[doc = $doc])+ pub $name: $type,)+
        }

        /// The columns in their order. The ledger's tables, the JSON form and the reference page
        /// (`docs/events.md`) derive from this table.
        pub const COLUMNS: &[Column] = &[
            $(Column {
                name: stringify!($name),
                kind: <$type as Value>::KIND,
                nullable: <$type as Value>::NULLABLE,
                unit: $unit,
                focus: $focus,
                since: since!($($since)?),
                doc: concat!($($doc),+),
                get: |event| event.$name.to_cell(),
                set: |event, cell| {
                    event.$name = Value::from_cell(cell)
                        .map_err(|expected| CellError { column: stringify!($name), expected })?;
                    Ok(())
                },
            },)+
        ];
    };
}

columns! {
    /** `<provider>.request`, such as `openai.request`.*/
    event: String, "", "";
    /** The identity of the logical request. It is computed from the request, so that a replay has the same id.*/
    event_id: EventId, "", "";
    /** The caller's id of the request, or a UUIDv7.*/
    request_id: Option<String>, "", "";
    /** The row with the greatest revision is the present state. The revision is made from the content and does not count the changes, so that gaps are normal: the number of observations that belong together with the event's, plus 10,000 for each of their ids that is shared by more than 256 observations, plus 1,000,000 for each time that the ledger was priced again.*/
    revision: i64, "", "";
    /** `live`, `quarantined` (counts, but lacks attribution) or `void` (does not count).*/
    state: EventState, "", "";
    /** The event that counts instead of this one, if this one is void.*/
    superseded_by: Option<EventId>, "", "";
    /** The start of the call.*/
    timestamp: Timestamp, "ns", "ChargePeriodStart";
    /** Attribution: the product feature.*/
    feature: Option<String>, "", "";
    /** Attribution: the route or job.*/
    route: Option<String>, "", "";
    /** Attribution: the paying account.*/
    customer_id: Option<String>, "", "";
    /** Attribution: the environment.*/
    environment: Option<String>, "", "";
    /** The provider, by its OpenTelemetry name.*/
    provider: String, "", "ProviderName";
    /** The API that was called: `chat`, `responses`, …*/
    endpoint: String, "", "";
    /** The model that was requested.*/
    model: Option<String>, "", "";
    /** The model that answered.*/
    response_model: Option<String>, "", "SkuId";
    /** The service tier that served the call. It is the billed one.*/
    service_tier: Option<String>, "", "PricingCategory";
    /** The provider's region, where it changes the price.*/
    region: Option<String>, "", "RegionId";
    /** The provider's organization.*/
    organization: Option<String>, "", "BillingAccountId";
    /** The provider's project.*/
    project: Option<String>, "", "SubAccountId";
    /** All input tokens, including those read from and written to a cache.*/
    prompt_tokens: Option<i64>, "tokens", "";
    /** The part of the input read from a cache. It is null if the emitter did not state it.*/
    cached_tokens: Option<i64>, "tokens", "";
    /** The part of the input written to a cache. It is null if the emitter did not state it.*/
    cache_write_tokens: Option<i64>, "tokens", "";
    /** Visible output. The provider's own `completion_tokens` is this plus `reasoning_tokens`. If `reasoning_tokens` is null, this is all output, with any hidden one.*/
    completion_tokens: Option<i64>, "tokens", "";
    /** Hidden output. It is billed like output, and is not part of `completion_tokens`. It is null if the emitter did not state it.*/
    reasoning_tokens: Option<i64>, "tokens", "";
    /** The part of the input that is audio, cached audio included.*/
    audio_prompt_tokens: Option<i64>, "tokens", "";
    /** The part of the visible output that is audio.*/
    audio_completion_tokens: Option<i64>, "tokens", "";
    /** The part of the input that is images, cached images included.*/
    image_prompt_tokens: Option<i64>, "tokens", "";
    /** The part of the visible output that is images.*/
    image_completion_tokens: Option<i64>, "tokens", "";
    /** Images that the call generated.*/
    images: Option<i64>, "images", "";
    /** Seconds of audio input or output, where the provider bills time.*/
    audio_seconds: Option<Decimal>, "s", "";
    /** Billable web searches.*/
    web_search_calls: Option<i64>, "calls", "";
    /** Billable file searches.*/
    file_search_calls: Option<i64>, "calls", "";
    /** Billable uses of a code interpreter. At OpenAI, which bills sessions, they are containers of 1 GB; at other providers they are calls.*/
    code_interpreter_calls: Option<i64>, "calls", "";
    /** Where the usage comes from: `provider`, `estimated` or `none`.*/
    usage_source: UsageSource, "", "";
    /** The time from the start of the call to its last byte.*/
    latency_ms: Option<i64>, "ms", "";
    /** The time from the start of the call to the first chunk of a stream.*/
    time_to_first_token_ms: Option<i64>, "ms", "";
    /** Whether the answer was streamed.*/
    stream: bool, "", "";
    /** The cost of the primary charge. It is null when unpriced; an unknown cost is never 0.*/
    cost_usd: Option<Usd>, "USD", "EffectiveCost";
    /** `priced` or `unpriced`.*/
    cost_state: String, "", "";
    /** The reason why the charge is unpriced, from a closed list: `unknown_model`, `no_usage`, …*/
    cost_reason: Option<String>, "", "";
    /** Details of `cost_reason` for people: which model, which tier, which counts contradict each other.*/
    cost_detail: Option<String>, "", "";
    /** The lines that add up to `cost_usd`.*/
    cost_lines: Vec<CostLine>, "", "SkuPriceDetails";
    /** The version of the price book that was used: its date and content hash.*/
    price_version: Option<String>, "", "SkuPriceId";
    /** The prices that were valid at this moment were used.*/
    priced_at: Option<Timestamp>, "ns", "";
    /** The provider's usage object.*/
    usage_raw: Option<JsonText>, "", "";
    /** The cost that the emitter itself stated.*/
    emitter_cost_usd: Option<Usd>, "USD", "";
    /** The cost of further billed responses to the same request: the sum of those that have a price.*/
    retry_cost_usd: Option<Usd>, "USD", "";
    /** `cost_usd` plus `retry_cost_usd`: the amount on the invoice. It is null when a charge has no price.*/
    billed_usd: Option<Usd>, "USD", "BilledCost";
    /** HTTP attempts of the request, retries included.*/
    attempts: i64, "", "";
    /** The error of the last attempt, if no attempt succeeded. `records_lost` is the event of calls whose records a service lost; `dims.lost_calls` says how many. `process_died` is a call whose process ended before the call.*/
    error_code: Option<String>, "", "";
    /** OpenAI's `prompt_cache_key`.*/
    prompt_cache_key: Option<String>, "", "";
    /** The reasoning effort that was requested.*/
    reasoning_effort: Option<String>, "", "";
    /** Attribution: the batch job. The crate `spanledger` sets it to the provider's id of a batch, for the batch unless its attribution states another, and for each request that `BatchOutput` records.*/
    batch_job_id: Option<String>, "", "";
    /** The provider's id of the primary response.*/
    response_id: Option<String>, "", "";
    /** The trace of the primary charge.*/
    trace_id: Option<String>, "", "";
    /** The span of the primary charge.*/
    span_id: Option<String>, "", "";
    /** The parent of that span.*/
    parent_span_id: Option<String>, "", "";
    /** The service that made the call.*/
    service_name: Option<String>, "", "ResourceId";
    /** The instrumentation that reported the primary charge: its scope and version.*/
    emitter: String, "", "";
    /** Unusual facts about the event, from a closed list: `possible_duplicate`, `retry_unpriced`, …*/
    flags: Vec<Flag>, "", "";
    /** Attribution: free dimensions.*/
    dims: BTreeMap<String, String>, "", "Tags";
}

impl CostEvent {
    /// Whether the event counts in sums.
    pub fn counts(&self) -> bool {
        self.state != EventState::Void
    }

    /// All tokens: input, visible output and hidden output.
    pub fn total_tokens(&self) -> i64 {
        [self.prompt_tokens, self.completion_tokens, self.reasoning_tokens]
            .into_iter()
            .flatten()
            .fold(0, i64::saturating_add)
    }
}
