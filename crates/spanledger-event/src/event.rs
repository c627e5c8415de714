//! The event and the table of its columns.
//!
//! # Adding a column
//!
//! 1. Add a row to `columns!` below, with `, since N` at its end: the next schema version of the
//!    ledger, or the present one while no release has it (`spanledger-ledger/src/migrate.rs`).
//! 2. Fill it. A column that observations state as it is: add an optional field to
//!    [`Observation`], and a row to `carried!` (`observation/carried.rs`) with the attribute's name
//!    from `keys.rs`; the fold and the record then carry it. Any other column: set it in `fold/assemble.rs`.
//! 3. Read the field where it is stated: in a dialect (`spanledger-otlp/src/dialect`), in the crate
//!    `spanledger`.
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
#[cfg(test)]
mod tests;

pub(crate) use cell::Value;
pub use cell::{Cell, CellError, JsonText};
pub use json::EventJson;

words! {
    /// Whether an event counts.
    #[derive(Default)]
    pub enum EventState {
        /** The event counts.*/
        Live (default) = "live",
        /** The event counts, but lacks a required field of its attribution until a rule supplies it.*/
        Quarantined = "quarantined",
        /** The event does not count: it turned out to be another sighting of other events, or an aggregate over them.*/
        Void = "void",
    }
}

words! {
    /// Where a usage comes from.
    #[derive(Default)]
    pub enum UsageSource {
        /** The provider reported it.*/
        Provider = "provider",
        /** It was counted here: with a tokenizer, or from what was sent and came back (characters to speak, images made).*/
        Estimated = "estimated",
        /** The usage is unknown.*/
        None (default) = "none",
    }
}

words! {
    /// What a reader should know about an event.
    #[non_exhaustive]
    pub enum Flag {
        /** Another event has the same response id, and it is not certain that the two are one.*/
        PossibleDuplicate = "possible_duplicate",
        /** The emitter's own cost differs from `cost_usd`.*/
        EmitterCostDiffers = "emitter_cost_differs",
        /** A charge beside the primary one has no price, so that the billed amount is unknown.*/
        RetryUnpriced = "retry_unpriced",
        /** The usage has fields of unknown meaning; `cost_detail` lists them. The totals add up, so that no token is missing from the cost.*/
        UsageNotUnderstood = "usage_not_understood",
    }
}

/// What a column holds; each sink maps it to a type of its own. Sinks match on every kind, so that a
/// new kind does not compile until each of them has a type for it.
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
    /// The FOCUS 1.2 column that holds the same; empty where FOCUS has none.
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
    /// The column of that name.
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

/// Where a row does not say so, it was there from the first version on.
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
        /// One logical request: what every sink stores and every report reads.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct CostEvent {
            $($(#[doc = $doc])+ pub $name: $type,)+
        }

        /// The columns in their order. The ledger's tables, the JSON form and the reference page
        /// (`docs/events.md`) derive from it.
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
    /** The identity of the logical request, derived, the same in every replay.*/
    event_id: EventId, "", "";
    /** The caller's id of the request, or a UUIDv7.*/
    request_id: Option<String>, "", "";
    /** Raised by every change; the greatest one is the event's present state.*/
    revision: i64, "", "";
    /** `live`, `quarantined` (counts, but lacks attribution) or `void` (does not count).*/
    state: EventState, "", "";
    /** Of a void event: the event that counts instead.*/
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
    /** The model asked for.*/
    model: Option<String>, "", "";
    /** The model that answered.*/
    response_model: Option<String>, "", "SkuId";
    /** The service tier that served the call, the one that is billed.*/
    service_tier: Option<String>, "", "PricingCategory";
    /** The provider's region, where it changes the price.*/
    region: Option<String>, "", "RegionId";
    /** The provider's organization.*/
    organization: Option<String>, "", "BillingAccountId";
    /** The provider's project.*/
    project: Option<String>, "", "SubAccountId";
    /** All input tokens, those read from and written to a cache included.*/
    prompt_tokens: Option<i64>, "tokens", "";
    /** The part of the input read from a cache.*/
    cached_tokens: Option<i64>, "tokens", "";
    /** The part of the input written to a cache.*/
    cache_write_tokens: Option<i64>, "tokens", "";
    /** Visible output. The provider's own `completion_tokens` is this plus `reasoning_tokens`.*/
    completion_tokens: Option<i64>, "tokens", "";
    /** Hidden output: billed like output, and not part of `completion_tokens`.*/
    reasoning_tokens: Option<i64>, "tokens", "";
    /** The part of the input that is audio, cached included.*/
    audio_prompt_tokens: Option<i64>, "tokens", "";
    /** The part of the visible output that is audio.*/
    audio_completion_tokens: Option<i64>, "tokens", "";
    /** The part of the input that is images, cached included.*/
    image_prompt_tokens: Option<i64>, "tokens", "";
    /** The part of the visible output that is images.*/
    image_completion_tokens: Option<i64>, "tokens", "";
    /** Images made.*/
    images: Option<i64>, "images", "";
    /** Seconds of audio heard or spoken, where the provider bills time.*/
    audio_seconds: Option<Decimal>, "s", "";
    /** Billable web searches.*/
    web_search_calls: Option<i64>, "calls", "";
    /** Billable file searches.*/
    file_search_calls: Option<i64>, "calls", "";
    /** Billable uses of a code interpreter: containers of 1 GB at OpenAI, which bills the session, and calls at providers that bill calls.*/
    code_interpreter_calls: Option<i64>, "calls", "";
    /** Where the usage comes from: `provider`, `estimated` or `none`.*/
    usage_source: UsageSource, "", "";
    /** From the start of the call to the last byte.*/
    latency_ms: Option<i64>, "ms", "";
    /** From the start of the call to the first chunk of a stream.*/
    time_to_first_token_ms: Option<i64>, "ms", "";
    /** Whether the answer was streamed.*/
    stream: bool, "", "";
    /** The cost of the primary charge; null when unpriced, never 0 for what is not known.*/
    cost_usd: Option<Usd>, "USD", "EffectiveCost";
    /** `priced` or `unpriced`.*/
    cost_state: String, "", "";
    /** Why it is unpriced, from a closed list: `unknown_model`, `no_usage`, …*/
    cost_reason: Option<String>, "", "";
    /** Details of `cost_reason` for people: which model, which tier, what is contradictory.*/
    cost_detail: Option<String>, "", "";
    /** The lines that add up to `cost_usd`.*/
    cost_lines: Vec<CostLine>, "", "SkuPriceDetails";
    /** The price book that priced it: its date and content hash.*/
    price_version: Option<String>, "", "SkuPriceId";
    /** The moment whose prices were used.*/
    priced_at: Option<Timestamp>, "ns", "";
    /** The provider's usage object.*/
    usage_raw: Option<JsonText>, "", "";
    /** The cost that the emitter stated.*/
    emitter_cost_usd: Option<Usd>, "USD", "";
    /** The cost of further billed responses to the same request, as far as it is known.*/
    retry_cost_usd: Option<Usd>, "USD", "";
    /** `cost_usd` plus `retry_cost_usd`: what the invoice says.*/
    billed_usd: Option<Usd>, "USD", "BilledCost";
    /** HTTP attempts of the request, retries included.*/
    attempts: i64, "", "";
    /** What went wrong in the last attempt, where no attempt succeeded.*/
    error_code: Option<String>, "", "";
    /** OpenAI's `prompt_cache_key`.*/
    prompt_cache_key: Option<String>, "", "";
    /** The reasoning effort asked for.*/
    reasoning_effort: Option<String>, "", "";
    /** Attribution: the batch job.*/
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
    /** What a reader should know, from a closed list: `possible_duplicate`, `retry_unpriced`, …*/
    flags: Vec<Flag>, "", "";
    /** Attribution: free dimensions.*/
    dims: BTreeMap<String, String>, "", "Tags";
}

impl CostEvent {
    /// Whether the event counts in sums.
    pub fn counts(&self) -> bool {
        self.state != EventState::Void
    }

    /// All tokens.
    pub fn total_tokens(&self) -> i64 {
        [self.prompt_tokens, self.completion_tokens, self.reasoning_tokens]
            .into_iter()
            .flatten()
            .fold(0, i64::saturating_add)
    }
}
